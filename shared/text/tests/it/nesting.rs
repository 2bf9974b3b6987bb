//! Depth costs neither the stack nor more time than length does.

use std::time::{Duration, Instant};

use mediadex_text::{Limits, extract};

use crate::made;

/// Far more than any of these needs, and far less than a quadratic reader takes.
const TIME: Duration = Duration::from_secs(120);

#[test]
fn nesting_is_linear() {
    let deep = 100_000;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("text/html", format!("{}deep{}", "<div>".repeat(deep), "</div>".repeat(deep)).into_bytes()),
        ("text/html", format!("deep{}", "<!--".repeat(deep)).into_bytes()),
        ("text/html", format!("deep{}", "<![CDATA[".repeat(deep)).into_bytes()),
        ("text/html", format!("deep{}", "<a b=\"".repeat(deep)).into_bytes()),
        ("text/html", format!("deep{}", "<script>".repeat(deep)).into_bytes()),
        ("text/html", format!("deep {}", "&#x".repeat(deep)).into_bytes()),
        ("application/rtf", format!("{{\\rtf1 deep{}", "{".repeat(deep)).into_bytes()),
        ("application/pdf", made::pdf(&format!("BT (deep) Tj ET {}", "[".repeat(deep)), false)),
        ("application/pdf", made::pdf(&format!("BT (deep) Tj ET {}", "<<".repeat(deep)), false)),
        ("application/pdf", made::pdf(&format!("BT (deep) Tj ET {}", "(".repeat(deep)), true)),
        ("application/epub+zip", made::docx(&format!("<w:t>deep</w:t>{}", "<w:del>".repeat(deep)))),
    ];
    for (content_type, bytes) in cases {
        let start = Instant::now();
        let text = extract(&bytes, content_type, &Limits::default()).unwrap().text;
        assert!(text.contains("deep"), "{content_type}");
        assert!(start.elapsed() < TIME, "{content_type}: {:?}", start.elapsed());
    }
}
