//! What is read of each format.

use std::time::{Duration, Instant};

use mediadex_text::{Error, Limits, content_type_of_extension, extract};

use crate::made;

fn read(bytes: &[u8], extension: &str) -> Result<String, Error> {
    extract(bytes, content_type_of_extension(extension).unwrap(), &Limits::default()).map(|t| t.text)
}

#[test]
fn formats() {
    let word = "<w:p><w:pPr><w:tabs><w:tab/></w:tabs></w:pPr><w:r><w:t>One</w:t><w:tab/><w:t>two</w:t><w:br/><w:t>three \
        &amp; &#233;</w:t></w:r></w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:tbl><w:tr><w:tc><w:p><w:r>\
        <w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:tr></w:tbl>";
    for (extension, bytes, want) in [
        ("docx", made::docx(word), "One\ttwo\nthree & é\na\tb\nNote\nHeader"),
        ("pptx", made::pptx(), "First\nSpeak\n\nSecond"),
        ("xlsx", made::xlsx(), "Costs\nName\tRich\n2021-01-01\t1.5\tin"),
        ("odt", made::odt(), "Title\na  b\tc\nx\ty"),
        ("epub", made::epub(), "first\n\nsecond"),
        ("pdf", made::pdf(made::PAGE, false), "Hello World\ncafé"),
        ("pdf", made::pdf(made::PAGE, true), "Hello World\ncafé"),
        ("txt", "a\r\nb".into(), "a\nb"),
        ("md", "# a *b*".into(), "# a *b*"),
    ] {
        assert_eq!(read(&bytes, extension).as_deref(), Ok(want), "{extension}");
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    let odt = made::zip(&[("content.xml", "x"), ("META-INF/manifest.xml", "<m:encryption-data/>")]);
    for (bytes, extension, want) in [
        (odt, "odt", Error::Encrypted),
        (made::pdf("", false), "pdf", Error::NoText("its pages may be pictures".to_owned())),
        (made::pdf_of_empty_pages(), "pdf", Error::NoText("its pages may be pictures".to_owned())),
        (Vec::new(), "txt", Error::NoText("it is empty".to_owned())),
    ] {
        assert_eq!(read(&bytes, extension), Err(want), "{extension}");
    }
    assert!(matches!(read(b"no document", "docx"), Err(Error::Damaged(_))));
    assert!(matches!(extract(b"x", "image/png", &Limits::default()), Err(Error::Unsupported(_))));
}

#[test]
fn limits_hold() {
    let limits = Limits { text: 7, ..Limits::default() };
    let text = extract("ééééé".as_bytes(), "text/plain", &limits).unwrap();
    assert_eq!((text.text.as_str(), text.truncated), ("ééé", true));
    let late = Limits { deadline: Some(Instant::now() - Duration::from_secs(1)), ..Limits::default() };
    assert!(matches!(extract(b"x", "text/plain", &late), Err(Error::Limit(_))));
}
