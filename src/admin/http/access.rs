//! Who may read the pages: by the token, or by the login as HTTP's basic authentication has it. Where neither is configured the
//! address is this machine's own, and then only a request that was made for this machine counts: a web page that was led
//! here by a name of its own reads nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use super::{Reply, text};
use crate::admin::settings::AdminSettings;

/// Health checkers carry no token, and learn no more than that tidegate is there.
const OPEN: [&str; 2] = ["/health", "/ready"];

/// The refusal, if this request may not have this path.
pub fn check(settings: &AdminSettings, headers: &HeaderMap, path: &str) -> Result<(), Box<Reply>> {
    if OPEN.contains(&path) {
        return Ok(());
    }
    if settings.token.is_none() && settings.login.is_none() {
        return match is_for_this_machine(headers.get(HOST)) {
            true => Ok(()),
            false => {
                let advice = "ask for 127.0.0.1 or localhost, or set admin.token\n";
                Err(Box::new(text(StatusCode::FORBIDDEN, advice.into())))
            }
        };
    }
    let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    match is_right(settings, given) {
        true => Ok(()),
        false => Err(Box::new(unauthorized(settings))),
    }
}

fn unauthorized(settings: &AdminSettings) -> Reply {
    let mut reply = text(StatusCode::UNAUTHORIZED, "admin.token, or admin.user and its password\n".into());
    let scheme = if settings.login.is_some() { "Basic realm=\"tidegate\"" } else { "Bearer" };
    reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    reply
}

fn is_right(settings: &AdminSettings, given: &[u8]) -> bool {
    let after = |scheme: &[u8]| {
        let (head, rest) = given.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then(|| rest.trim_ascii())
    };
    let by_token = settings.token.as_ref().zip(after(b"Bearer "));
    let by_login = settings.login.as_ref().zip(after(b"Basic "));
    match (by_token, by_login) {
        (Some((token, given)), _) => token.expose_secret().as_bytes().ct_eq(given).into(),
        (_, Some((login, given))) => {
            let expected = format!("{}:{}", login.user, login.password.expose_secret());
            STANDARD.decode(given).is_ok_and(|given| expected.as_bytes().ct_eq(&given).into())
        }
        _ => false,
    }
}

/// An IP address, `localhost`, or nothing.
fn is_for_this_machine(host: Option<&HeaderValue>) -> bool {
    let Some(host) = host else { return true };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::settings::AdminLogin;

    fn settings(login: bool, token: bool) -> AdminSettings {
        AdminSettings {
            http: None,
            sql: None,
            login: login.then(|| AdminLogin { user: "admin".into(), password: "pw".to_owned().into() }),
            token: token.then(|| "tok".to_owned().into()),
        }
    }

    fn status(settings: &AdminSettings, path: &str, name: hyper::header::HeaderName, value: &str) -> u16 {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).expect("a header"));
        check(settings, &headers, path).err().map_or(200, |reply| reply.status().as_u16())
    }

    #[test]
    fn either_secret_opens_and_a_wrong_one_does_not() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (settings, given, expected) in [
            (settings(false, true), "Bearer tok".to_owned(), 200),
            (settings(false, true), "bearer tok".to_owned(), 200),
            (settings(false, true), "Bearer tok2".to_owned(), 401),
            (settings(false, true), "Bearer".to_owned(), 401),
            (settings(false, true), basic("admin:pw"), 401),
            (settings(true, false), basic("admin:pw"), 200),
            (settings(true, false), basic("admin:"), 401),
            (settings(true, false), "Basic ???".to_owned(), 401),
            (settings(true, true), "Bearer tok".to_owned(), 200),
            (settings(true, true), basic("admin:pw"), 200),
        ] {
            assert_eq!(status(&settings, "/metrics", AUTHORIZATION, &given), expected, "{given}");
            assert_eq!(status(&settings, "/health", AUTHORIZATION, "x"), 200);
        }
    }

    #[test]
    fn without_a_secret_only_this_machines_own_names_count() {
        let open = settings(false, false);
        for (host, expected) in [
            ("127.0.0.1:6080", 200),
            ("localhost:6080", 200),
            ("LOCALHOST", 200),
            ("[::1]:6080", 200),
            ("evil.example:6080", 403),
            ("evil.example", 403),
            ("", 403),
        ] {
            assert_eq!(status(&open, "/digests", HOST, host), expected, "{host}");
        }
    }
}
