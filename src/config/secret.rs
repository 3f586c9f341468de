//! Secrets: typed in the file, read from a file of their own, or from the environment. No message ever quotes one,
//! nor the name in `.._file` and `.._env`, where people type the secret itself by mistake.

use std::fs;

use secrecy::SecretString;

use super::files::unreadable;
use super::problem::Fault;
use super::section::Section;
use super::value::{path, secret, some_text};

/// A secret named by `key`, `key_file` or `key_env`; `None` if none of them is given, or wrong.
pub fn secret_of(section: &mut Section<'_, '_>, key: &str) -> Option<SecretString> {
    let [file, env] = [format!("{key}_file"), format!("{key}_env")];
    let given = [key, &file, &env].map(|key| section.has(key));
    let typed = section.find(key, secret);
    let from_file = read_file(section, &file);
    let from_env = read_env(section, &env);
    if given.iter().filter(|given| **given).count() > 1 {
        let fault = Fault::new("more than one secret is given", format!("keep one of {key}, {file} and {env}"));
        section.error(if given[2] { &env } else { &file }, fault);
    }
    typed.or(from_file).or(from_env)
}

/// Whether any of the three keys of a secret is in the file.
pub fn is_given(section: &Section<'_, '_>, key: &str) -> bool {
    section.has(key) || section.has(&format!("{key}_file")) || section.has(&format!("{key}_env"))
}

fn read_file(section: &mut Section<'_, '_>, key: &str) -> Option<SecretString> {
    let path = section.find(key, path)?;
    let read = fs::read(path).map_err(|error| unreadable(&error));
    match read.and_then(first_line) {
        Ok(secret) => Some(secret),
        Err(fault) => {
            section.error(key, fault);
            None
        }
    }
}

/// The secret is the file without the line end that editors add.
fn first_line(bytes: Vec<u8>) -> Result<SecretString, Fault> {
    let instead = "write the secret into it, as one line of text";
    let text = String::from_utf8(bytes).map_err(|_| Fault::new("the file is not UTF-8", instead))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line {
        "" => Err(Fault::new("the file is empty", instead)),
        more if more.contains('\n') => Err(Fault::new("the file has more than one line", instead)),
        line => Ok(SecretString::from(line)),
    }
}

fn read_env(section: &mut Section<'_, '_>, key: &str) -> Option<SecretString> {
    let name = section.find(key, some_text)?;
    let value = (section.reader.surroundings.env)(&name);
    if value.is_none() {
        let fault = Fault::new(
            "this environment variable is not set",
            "write the name of a variable, and set it before tidegate starts",
        );
        section.error(key, fault);
    }
    value.map(SecretString::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn one_line_end_is_taken_off() {
        let read = |text: &str| first_line(text.into()).map(|s| s.expose_secret().to_owned());
        assert_eq!(read("pw"), Ok("pw".into()));
        assert_eq!(read("pw\n"), Ok("pw".into()));
        assert_eq!(read("pw \r\n"), Ok("pw ".into()));
        assert!(read("").is_err());
        assert!(read("\n").is_err());
        assert!(read("a\nb\n").is_err());
        assert!(first_line(vec![0xff]).is_err());
    }
}
