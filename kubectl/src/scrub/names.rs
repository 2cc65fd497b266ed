//! (pure) Which names are those of secrets.

/// Parts of names whose values are removed, in lower case and without what separates words.
const PARTS: [&str; 17] = [
    "accesskey",
    "accountkey",
    "apikey",
    "authkey",
    "authorization",
    "cookie",
    "credential",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "pwd",
    "rpcauth",
    "rpcpass",
    "secret",
    "signature",
    "token",
];
/// Whole names: as parts they are in other words, as in "signal" and "bypass".
const WHOLE: [&str; 2] = ["pass", "sig"];
/// Ends of names that say where a secret is, or of which kind: `secretName`, `authSecretRef`, `--password-file`.
const REFERENCES: [&str; 9] = [
    "class",
    "dir",
    "file",
    "name",
    "namespace",
    "path",
    "pullsecrets",
    "ref",
    "type",
];

/// Whether what has this name is a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = normal(name);
    let is_one = WHOLE.contains(&name.as_str()) || PARTS.iter().any(|part| name.contains(part));
    is_one && !is_reference(&name)
}

/// Whether the next argument is a secret.
pub(super) fn is_secret_flag(argument: &str) -> bool {
    let is_flag = argument.starts_with('-') && !argument.contains(|c: char| c == '=' || c.is_whitespace());
    is_flag && is_secret(argument)
}

/// Whether it is a word of ordinary texts too: "first pass: 300 blocks".
pub(super) fn is_ambiguous(name: &str) -> bool {
    WHOLE.contains(&normal(name).as_str())
}

/// Whether it says where a secret is.
pub(super) fn is_reference(name: &str) -> bool {
    let name = normal(name);
    REFERENCES.iter().any(|end| name.ends_with(end))
}

/// Whether a number of this name is a secret: `password`, and neither `tokens` nor `tokenSeconds`, which are amounts.
pub(super) fn is_secret_number(name: &str) -> bool {
    ends_in_secret(&normal(name))
}

/// Whether numbers in an object of this name are: in `password` and `credentials`, not in `tokens`.
pub(super) fn holds_secret_numbers(name: &str) -> bool {
    let name = normal(name);
    let is_plural = name.strip_suffix('s').is_some_and(ends_in_secret);
    ends_in_secret(&name) || is_plural && !name.ends_with("tokens")
}

fn ends_in_secret(name: &str) -> bool {
    WHOLE.contains(&name) || PARTS.iter().any(|part| name.ends_with(part))
}

/// `X-Api-Key`, `api_key` and `apiKey` are one name, and `password2` is the second one of its name.
fn normal(name: &str) -> String {
    let name = name.replace(['_', '-'], "").to_ascii_lowercase();
    name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn secrets_are_known_by_their_names_in_any_spelling() {
        for name in [
            "password",
            "rpcpassword",
            "AWS_SECRET_ACCESS_KEY",
            "x-api-key",
            "apiKey",
            "X-Amz-Signature",
            "sig",
            "--private-key",
            "PWD",
            "pass2",
            "tokens",
            "__cookie__",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "signal",
            "design",
            "bypass",
            "secretName",
            "authSecretRef",
            "imagePullSecrets",
            "--password-file",
            "credentials_dir",
            "key",
            "height",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn numbers_are_secrets_where_they_do_not_count_any() {
        for (name, is_one, holds_some) in [
            ("password", true, true),
            ("credentials", false, true),
            ("tokens", false, false),
            ("tokenSeconds", false, false),
        ] {
            assert_eq!(
                (is_secret_number(name), holds_secret_numbers(name)),
                (is_one, holds_some),
                "{name}"
            );
        }
    }

    /// Names of the fields of a schema.
    fn fields(schema: &Value, found: &mut Vec<String>) {
        match schema {
            Value::Object(members) => {
                if let Some(Value::Object(properties)) = members.get("properties") {
                    found.extend(properties.keys().cloned());
                }
                members.values().for_each(|member| fields(member, found));
            }
            Value::Array(members) => members.iter().for_each(|member| fields(member, found)),
            _ => {}
        }
    }

    #[test]
    fn no_field_of_an_indexer_has_a_secret_itself() {
        let mut found = Vec::new();
        fields(&serde_json::to_value(crds::crd()).unwrap(), &mut found);
        assert!(found.iter().any(|name| name == "authSecretRef"), "{found:?}");
        found.retain(|name| is_secret(name));
        assert_eq!(found, [""; 0], "a report would not show them, nor could it read them");
    }
}
