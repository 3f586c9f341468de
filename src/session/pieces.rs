//! Statements of tidegate's own that hold a list, cut where a server does not take the whole.
//!
//! A server whose `max_allowed_packet` and `net_buffer_length` are at their smallest takes packets of less than 1 KiB, and
//! closes the connection over a longer one.

/// Bytes of a text that every server takes, with the command's byte and the attributes' before it.
pub const ALWAYS_TAKEN: usize = 1000;

/// The items with commas between them, behind `head` and before `tail`, in as few texts of up to `most` bytes as they need.
/// An item that is too long for that has a text of its own. None for no items.
pub fn pieces<T: AsRef<str>>(head: &str, items: impl IntoIterator<Item = T>, tail: &str, most: usize) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for item in items {
        let item = item.as_ref();
        match texts.last_mut().filter(|text| text.len() + 1 + item.len() + tail.len() <= most) {
            Some(text) => {
                text.push(',');
                text.push_str(item);
            }
            None => texts.push([head, item].concat()),
        }
    }
    texts.into_iter().map(|text| text + tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_few_as_go() {
        let cut = |most| pieces("SET ", ["a=1", "b=2", "c=3"], ";", most);
        assert_eq!(cut(16), ["SET a=1,b=2,c=3;"]);
        assert_eq!(cut(15), ["SET a=1,b=2;", "SET c=3;"]);
        assert_eq!(cut(1), ["SET a=1;", "SET b=2;", "SET c=3;"]);
        assert_eq!(pieces("SET ", [""; 0], "", 9), [""; 0]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_too_long(items in proptest::collection::vec("[a-z]{1,9}", 0..40), most in 11..60usize) {
            let texts = pieces("<", &items, ">", most);
            prop_assert!(texts.iter().all(|text| text.len() <= most));
            let inner: Vec<&str> = texts.iter().map(|text| &text[1..text.len() - 1]).collect();
            prop_assert_eq!(inner.join(","), items.join(","));
        }
    }
}
