//! Each class of mistake: the exact words, the line, the key path, exit code 2.

use super::{Site, certificate, refused};

#[test]
fn all_errors_come_at_once_in_the_files_order() {
    refused(
        "[listen]\nadress = \"127.0.0.1:6033\"\nmax_clients = 0\n\n[pool]\nsize = -1\nmin_idle = \"2\"\n\
         checkout_timeout = 60\n[[user]]\nname = \"app\"\n[log]\nlevel = \"inof\"\n",
        &[
            "2: listen.adress: unknown key; did you mean \"address\"?",
            "3: listen.max_clients: 0 is out of range; write a whole number from 1 to 1000000, without quotes",
            "6: pool.size: -1 is out of range; write a whole number from 1 to 100000, without quotes",
            "7: pool.min_idle: must be a whole number, is text; write a whole number from 0 to 100000, without quotes",
            "8: pool.checkout_timeout: has no unit; write \"60s\"",
            "9: user[1].password: is missing; write password, password_file or password_env; \
             password = \"\" if the account has none",
            "12: log.level: \"inof\" is not possible here; did you mean \"info\"? Possible: \
             \"off\", \"error\", \"warn\", \"info\", \"debug\", \"trace\"",
        ],
    );
}

#[test]
fn broken_toml() {
    refused(
        "[pool]\nsize = 5\nmax_overflow 5\n",
        &["3: not valid TOML: key with no value, expected `=`; correct this line, then check again: the rest was not \
             looked at"],
    );
    refused(
        "[pool]\nsize = 5\nsize = 6\n",
        &["3: not valid TOML: duplicate key; correct this line, then check again: the rest was not looked at"],
    );
}

#[test]
fn unknown_keys_and_tables() {
    refused(
        "size = 5\nzzz = 1\n[lisen]\naddress = \"127.0.0.1:1\"\n[log]\nthreshold = \"1s\"\nqqq = 1\n[[user]]\n\
         name = \"a\"\npassword = \"\"\npasword = \"hunter2\"\n",
        &[
            "1: size: unknown key; it belongs under [pool]",
            "2: zzz: unknown key; take it out; the tables are admin, auth, backend, histogram, listen, log, pool, \
             slow_log, user",
            "3: lisen: unknown key; did you mean \"listen\"?",
            "6: log.threshold: unknown key; it belongs under [slow_log]",
            "7: log.qqq: unknown key; take it out; [log] has format, level",
            "11: user[1].pasword: unknown key; did you mean \"password\"?",
        ],
    );
}

#[test]
fn tables_written_the_wrong_way() {
    refused(
        "listen = 5\n[[pool]]\nsize = 1\n[user]\nname = \"app\"\n",
        &[
            "1: listen: must be a table, is a number; write [listen] on a line of its own, once, and its keys below",
            "2: pool: must be a table, is a list; write [pool] on a line of its own, once, and its keys below",
            "4: user: must be written with two brackets; write [[user]] on a line of its own, once for each",
        ],
    );
}

#[test]
fn durations_and_sizes() {
    refused(
        "[listen]\nlogin_timeout = \"10 seconds\"\nidle_timeout = \"0s\"\n[pool]\nmax_lifetime = \"0s\"\n\
         query_timeout = \"none\"\nidle_timeout = true\nping_after = \"4000d\"\n[slow_log]\nmax_size = 64\n\
         threshold = 1.5\n",
        &[
            "2: listen.login_timeout: \"10 seconds\" is not a duration; write whole numbers with us, ms, s, min, h or d, \
             such as \"280s\", \"500ms\" or \"1h30min\"",
            "3: listen.idle_timeout: must not be zero; write a longer time, such as \"30s\", or \"off\"",
            "5: pool.max_lifetime: must not be zero; write a longer time, such as \"30s\"",
            "6: pool.query_timeout: \"none\" is not a duration; write whole numbers with us, ms, s, min, h or d, \
             such as \"280s\", \"500ms\" or \"1h30min\", or \"off\"",
            "7: pool.idle_timeout: must be a duration, is true or false; write it as text with a unit, such as \"30s\", \
             or \"auto\"",
            "8: pool.ping_after: \"4000d\" is too long; write at most \"3650d\", or \"off\"",
            "10: slow_log.max_size: has no unit; write \"64MiB\", or \"off\"",
            "11: slow_log.threshold: must be a duration, is a number with a point; write it as text with a unit, such as \"30s\"",
        ],
    );
}

#[test]
fn counts_and_shares() {
    refused(
        "[pool]\nsize = 0\nmin_idle = 9\n[slow_log]\nsample = 1.5\nrate = 0\nkeep = 5000\nredact = \"yes\"\n",
        &[
            "2: pool.size: 0 is out of range; write a whole number from 1 to 100000, without quotes",
            "5: slow_log.sample: 1.5 is out of range; write a number above 0 and at most 1, such as 0.25",
            "6: slow_log.rate: 0 is out of range; write a whole number from 1 to 1000000, without quotes, or \"off\"",
            "7: slow_log.keep: 5000 is out of range; write a whole number from 0 to 1000, without quotes",
            "8: slow_log.redact: must be true or false, is text; write true or false, without quotes",
        ],
    );
    refused(
        "[pool]\nsize = 5\nmin_idle = 6\n",
        &["3: pool.min_idle: 6 is more than pool.size (5); write at most 5, or a larger size"],
    );
}

#[test]
fn addresses() {
    refused(
        "[listen]\naddress = [\"6033\", \"::1:6033\", 7,\n  \"unix:run/x.sock\"]\nproxy_protocol_from = [\"10.0.0.0/99\"]\n\
         [backend]\naddress = \"db:70000\"\n[admin]\nhttp = \"dashboard:80\"\n",
        &[
            "2: listen.address[1]: \"6033\" is not an address; write \"127.0.0.1:6033\"",
            "2: listen.address[2]: \"::1:6033\" is not an address; write \"[::1]:6033\"",
            "2: listen.address[3]: must be text, is a number; write it in \"quotes\"",
            "3: listen.address[4]: a Unix socket needs a path from the root; write for example \
             \"unix:/run/tidegate/tidegate.sock\"",
            "4: listen.proxy_protocol_from[1]: \"10.0.0.0/99\" is not a range of addresses; write for example \
             \"10.0.0.0/8\", \"192.0.2.7\" or \"fd00::/8\"",
            "6: backend.address: port 70000 is out of range; write a port from 1 to 65535, usually 3306",
            "8: admin.http: \"dashboard:80\" is not an IP address with a port; write for example \"127.0.0.1:6080\" or \
             \"[::1]:6080\", or \"off\"",
        ],
    );
    refused(
        "listen.address = []\nbackend.address = \"db:0\"\n",
        &[
            "1: listen.address: is an empty list; write at least one address",
            "2: backend.address: port 0 is nobody's; write the server's port, usually 3306",
        ],
    );
}

#[test]
fn addresses_that_clash() {
    refused(
        "[listen]\naddress = [\"127.0.0.1:6080\", \"0.0.0.0:3306\", \"0.0.0.0:3306\"]\n[admin]\n\
         sql = \"localhost:6080\"\n[auth]\nallow_local_accounts = true\n",
        &[
            " backend.address: is the address that tidegate itself listens on; write the MySQL server's address",
            "2: listen.address: \"0.0.0.0:3306\" is there twice; take one of them out",
            "3: admin.http: 127.0.0.1:6080 is taken by listen.address; write another port, or \"off\"",
            "4: admin.sql: 127.0.0.1:6080 is taken by listen.address; write another port, or \"off\"",
        ],
    );
    refused(
        "admin.http = \"127.0.0.1:1\"\nadmin.sql = \"127.0.0.1:1\"\n",
        &["2: admin.sql: 127.0.0.1:1 is taken by admin.http; write another port, or \"off\""],
    );
}

#[test]
fn certificates_and_keys() {
    let site = Site::new(
        "[listen]\ntls_cert = \"key.pem\"\ntls_client_ca = \"nowhere.pem\"\n[backend]\ntls = \"verify-ca\"\n\
         tls_key = \"cert.pem\"\n[auth]\nrsa_private_key = \".\"\n",
    );
    let (cert, key) = certificate();
    site.file("cert.pem", cert);
    site.file("key.pem", key);
    site.refused(&[
        "2: listen.tls_cert: the file holds no certificate; name a PEM file with a line BEGIN CERTIFICATE",
        "2: listen.tls_cert: is given without tls_key; add tls_key, or take tls_cert out",
        "3: listen.tls_client_ca: there is no such file; correct the path",
        "3: listen.tls_client_ca: clients without TLS get in without a certificate; write tls = \"required\" as well",
        "5: backend.tls: has nothing to verify the server's certificate with; add tls_ca, the file of whoever signed it",
        "6: backend.tls_key: the file holds no private key that can be used; name a PEM file with a line \
         BEGIN PRIVATE KEY, without a passphrase",
        "6: backend.tls_key: is given without tls_cert; add tls_cert, or take tls_key out",
        "8: auth.rsa_private_key: is a folder; name the file in it",
    ]);
}

#[test]
fn users() {
    refused(
        "[listen]\nmax_clients = 100\n[pool]\nsize = 5\nmax_overflow = 5\n\
         [[user]]\nname = \"app\"\npassword = \"a\"\npool_size = 11\nmax_clients = 101\n\
         [[user]]\nname = \"app\"\npassword = \"b\"\npool_size = 0\n\
         [[user]]\npassword = \"c\"\n[[user]]\nname = \"\"\npassword = 5\n",
        &[
            "9: user[1].pool_size: 11 is more than pool.size + pool.max_overflow (10); write at most 10",
            "10: user[1].max_clients: 101 is more than listen.max_clients (100); write at most 100",
            "12: user[2].name: \"app\" is there twice; keep one [[user]] of each name",
            "14: user[2].pool_size: 0 is out of range; write a whole number from 1 to 1000000, without quotes",
            "15: user[3].name: is missing; write the account's name",
            "18: user[4].name: is empty; write a text between the quotes",
            "19: user[4].password: must be text, is a number; write it in \"quotes\"",
        ],
    );
}

#[test]
fn passwords_from_files_and_environment() {
    let site = Site::new(
        "[[user]]\nname = \"a\"\npassword = \"x\"\npassword_file = \"pw\"\n\
         [[user]]\nname = \"b\"\npassword_file = \"nowhere\"\n\
         [[user]]\nname = \"c\"\npassword_env = \"TIDEGATE_TEST_NOT_SET\"\n\
         [[user]]\nname = \"d\"\npassword_file = \"two\"\n\
         [auth]\nservice_user = \"s\"\n[admin]\npassword = \"p\"\n",
    );
    site.file("pw", "x\n");
    site.file("two", "x\ny\n");
    site.refused(&[
        "4: user[1].password_file: more than one secret is given; keep one of password, password_file and password_env",
        "7: user[2].password_file: there is no such file; correct the path",
        "10: user[3].password_env: this environment variable is not set; write the name of a variable, and set it before \
         tidegate starts",
        "13: user[4].password_file: the file has more than one line; write the secret into it, as one line of text",
        "15: auth.service_user: has no password; add service_password, service_password_file or service_password_env",
        "16: admin.user: is missing; write the name that the password belongs to",
    ]);
}

#[test]
fn admin_that_others_can_reach() {
    refused(
        "[admin]\nhttp = \"0.0.0.0:6080\"\nsql = \"[::]:6032\"\n",
        &[
            "2: admin.http: others can reach this address, and no login is asked for; add token, or user and password, \
             or listen on 127.0.0.1",
            "3: admin.sql: others can reach this address, and no login is asked for; add user and password, or listen on \
             127.0.0.1",
        ],
    );
    refused(
        "[admin]\nhttp = \"0.0.0.0:6080\"\nsql = \"0.0.0.0:6032\"\ntoken = \"t\"\n",
        &[
            "3: admin.sql: others can reach this address, and no login is asked for; add user and password, or listen on \
             127.0.0.1",
        ],
    );
}

#[test]
fn what_is_wrong_already_is_not_held_against_other_keys() {
    refused(
        "[listen]\nmax_clients = \"many\"\n[pool]\nsize = \"few\"\nmin_idle = 99999\n\
         [[user]]\nname = \"app\"\npassword = \"a\"\npool_size = 99999\nmax_clients = 99999\n",
        &[
            "2: listen.max_clients: must be a whole number, is text; write a whole number from 1 to 1000000, without \
             quotes",
            "4: pool.size: must be a whole number, is text; write a whole number from 1 to 100000, without quotes",
        ],
    );
}

#[test]
fn no_secret_is_ever_printed() {
    let site = Site::new(
        "[[user]]\nname = \"a\"\npassword = \"hunter2\"\npassword_file = \"hunter2\"\npassword_env = \"hunter2\"\n\
         [[user]]\nname = \"b\"\npassword = [\"hunter2\"]\n\
         [auth]\nservice_password = \"hunter2\"\nservice_password_file = \"hunter2\"\n\
         [admin]\nhttp = \"0.0.0.0:1\"\npassword = \"hunter2\"\ntoken = { x = \"hunter2\" }\n\
         [backend]\naddress = \"mysql://root:hunter2@db\"\n",
    );
    for command in ["check", "serve"] {
        let output = site.run(&[command]);
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        assert_eq!(output.status.code(), Some(2));
        assert!(printed.contains("user[1].password_env"), "{printed}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}
