//! What a good file resolves to: values, secrets, warnings.

use std::time::Duration;

use secrecy::ExposeSecret;
use tidegate::config::{Config, Loaded, Surroundings, resolve};
use tidegate::net::settings::{Address, BackendTls, ListenTls, SendProxyProtocol};
use tidegate::pool::policy::{IdleTimeout, PingAfter, ResetOnReturn};
use tidegate::proxy::settings::Mode;
use tidegate::stats::settings::{SlowLogBasis, SlowLogFormat};

use super::Site;

fn loaded(text: &str) -> Loaded {
    let surroundings = Surroundings { env: &|name| (name == "APP_PASSWORD").then(|| "from env".to_owned()), cores: 3 };
    resolve(text, surroundings).expect("in order")
}

fn config(text: &str) -> Config {
    loaded(text).config
}

#[test]
fn an_empty_file_is_in_order() {
    let config = config("");
    let proxy = &config.proxy;
    assert_eq!(proxy.listen.addresses.len(), 1);
    assert_eq!(proxy.listen.addresses[0].to_string(), "127.0.0.1:6033");
    assert_eq!((proxy.listen.max_clients, proxy.listen.workers), (10_000, 3));
    assert_eq!(proxy.listen.tls, ListenTls::Allowed);
    assert_eq!(proxy.listen.login_timeout, Duration::from_secs(10));
    assert_eq!(proxy.backend.connect_timeout, Duration::from_secs(15));
    assert_eq!(proxy.backend.tls, BackendTls::Preferred);
    assert_eq!(proxy.mode, Mode::Transaction);
    assert_eq!((proxy.pool.size, proxy.pool.max_overflow), (25, 50));
    assert_eq!(proxy.pool.max_lifetime, Duration::from_secs(1800));
    assert_eq!(proxy.auth.recheck, Duration::from_secs(10));
    assert!(!proxy.auth.allow_local_accounts);
    assert_eq!((&proxy.slow_log.path, &proxy.histogram.path), (&None, &None));
    assert_eq!(config.admin.http, Some(([127, 0, 0, 1], 6080).into()));
    assert_eq!(config.admin.sql, Some(([127, 0, 0, 1], 6032).into()));
}

#[test]
fn every_word_has_its_meaning() {
    let config = config(
        "listen = { address = [\"unix:/run/t.sock\", \"[::1]:7\"], tls = \"required\", idle_timeout = \"1h30min\" }\n\
         backend = { address = \"unix:/run/m.sock\", tls = \"off\", send_proxy_protocol = \"v2\", read_timeout = \"500ms\" }\n\
         pool = { mode = \"observe\", idle_timeout = \"280s\", ping_after = \"off\", reset_on_return = \"rollback\", \
         query_timeout = \"1min\" }\n\
         slow_log = { threshold = \"0s\", path = \"\", format = \"json\", basis = \"server\", rate = 9, max_size = \"off\" }\n\
         admin = { http = \"off\", sql = \"localhost:6032\" }\n",
    );
    let proxy = &config.proxy;
    assert_eq!(proxy.listen.addresses[0], Address::Unix("/run/t.sock".into()));
    assert_eq!(proxy.listen.addresses[1], Address::Tcp("[::1]:7".into()));
    assert_eq!(proxy.listen.tls, ListenTls::Required);
    assert_eq!(proxy.listen.idle_timeout, Some(Duration::from_secs(5400)));
    assert_eq!(proxy.backend.address, Address::Unix("/run/m.sock".into()));
    assert_eq!(proxy.backend.tls, BackendTls::Off);
    assert_eq!(proxy.backend.send_proxy_protocol, SendProxyProtocol::V2);
    assert_eq!(proxy.backend.read_timeout, Some(Duration::from_millis(500)));
    assert_eq!(proxy.mode, Mode::Observe);
    assert_eq!(proxy.pool.idle_timeout, IdleTimeout::After(Duration::from_secs(280)));
    assert_eq!(proxy.pool.ping_after, PingAfter::Off);
    assert_eq!(proxy.pool.reset_on_return, ResetOnReturn::Rollback);
    assert_eq!(proxy.limits.query_timeout, Some(Duration::from_secs(60)));
    assert_eq!(proxy.slow_log.threshold, Duration::ZERO);
    assert_eq!(proxy.slow_log.path, None);
    assert_eq!(proxy.slow_log.format, SlowLogFormat::Json);
    assert_eq!(proxy.slow_log.basis, SlowLogBasis::Server);
    assert_eq!((proxy.slow_log.rate, proxy.slow_log.max_size), (Some(9), None));
    assert_eq!(config.admin.http, None);
    assert_eq!(config.admin.sql, Some(([127, 0, 0, 1], 6032).into()));
}

#[test]
fn passwords_come_from_all_three_places() {
    let site = Site::empty();
    let file = site.file("pw", "from file\n");
    let text = format!(
        "[[user]]\nname = \"a\"\npassword = \"\"\n[[user]]\nname = \"b\"\npassword_file = \"{}\"\n\
         [[user]]\nname = \"c\"\npassword_env = \"APP_PASSWORD\"\npool_size = 7\n\
         [auth]\nservice_user = \"s\"\nservice_password = \"typed\"\n",
        file.display()
    );
    let auth = config(&text).proxy.auth;
    let users: Vec<_> = auth.users.iter().map(|user| (user.name.as_str(), user.password.expose_secret())).collect();
    assert_eq!(users, [("a", ""), ("b", "from file"), ("c", "from env")]);
    assert_eq!(auth.users[2].pool_size, Some(7));
    let service = auth.service.expect("a service account");
    assert_eq!(service.password.expose_secret(), "typed");
}

#[test]
fn debug_shows_no_secret() {
    let loaded = loaded(
        "[[user]]\nname = \"app\"\npassword = \"hunter2\"\n[auth]\nservice_user = \"s\"\nservice_password = \"hunter2\"\n\
         [admin]\nuser = \"u\"\npassword = \"hunter2\"\ntoken = \"hunter2\"\n",
    );
    let debug = format!("{loaded:?} {loaded:#?}");
    assert!(debug.contains("app") && debug.contains("REDACTED"), "{debug}");
    assert!(!debug.contains("hunter2"), "{debug}");
}

#[test]
fn the_log_shows_no_secret() {
    let site = Site::new(
        "[listen]\naddress = \"unix:/nowhere/at/all.sock\"\n[[user]]\nname = \"app\"\npassword = \"hunter2\"\n\
         [auth]\nservice_user = \"s\"\nservice_password = \"hunter2\"\n[log]\nlevel = \"trace\"\n\
         [admin]\nhttp = \"off\"\nsql = \"off\"\n",
    );
    let output = site.run(&["serve"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn clients_from_elsewhere_before_a_local_server_are_warned_about() {
    let open = "[backend]\naddress = \"127.0.0.1:3306\"\n[listen]\naddress = [\"127.0.0.1:1\", \"0.0.0.0:2\"]\n";
    let warning = "warning: ./proxy.toml:4: listen.address: clients from elsewhere will be refused: the server would take \
                   them for local ones; if its local accounts are meant for them, write allow_local_accounts = true \
                   under [auth]\n";
    assert_eq!(Site::new(open).accepted(), warning);
    for quiet in [
        format!("{open}[auth]\nallow_local_accounts = true\n"),
        open.replace("127.0.0.1:3306", "db:3306"),
        open.replace("0.0.0.0", "localhost"),
    ] {
        assert_eq!(Site::new(&quiet).accepted(), "", "{quiet}");
    }
}

#[test]
fn an_admin_that_asks_for_a_login_may_be_reached() {
    let site = Site::new("[admin]\nhttp = \"0.0.0.0:6080\"\nsql = \"0.0.0.0:6032\"\nuser = \"u\"\npassword = \"p\"\n");
    assert_eq!(site.accepted(), "");
}

#[test]
fn check_says_what_the_proxy_will_do() {
    let output = Site::new("[[user]]\nname = \"a\"\npassword = \"b\"\n").run(&["check"]);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "./proxy.toml is in order\n\
         127.0.0.1:6033 -> 127.0.0.1:3306, mode transaction, at most 75 server connections, 1 user named\n"
    );
}
