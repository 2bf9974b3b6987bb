//! Small documents of each format, made here.

use std::io::Write as _;

/// A ZIP archive of parts that are deflated.
pub(crate) fn zip(parts: &[(&str, &str)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, body) in parts {
        let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(body.as_bytes()).unwrap();
        let packed = packer.finish().unwrap();
        let sizes = [(packed.len() as u32).to_le_bytes(), (body.len() as u32).to_le_bytes()].concat();
        let at = (out.len() as u32).to_le_bytes();
        let names = [(name.len() as u16).to_le_bytes(), [0; 2]].concat();
        out.extend(b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0");
        out.extend([sizes.as_slice(), &names, name.as_bytes(), &packed].concat());
        directory.extend(b"PK\x01\x02\x14\0\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0");
        directory.extend([sizes.as_slice(), &names, &[0; 10], &at, name.as_bytes()].concat());
    }
    let count = (parts.len() as u16).to_le_bytes();
    let (at, len) = ((out.len() as u32).to_le_bytes(), (directory.len() as u32).to_le_bytes());
    out.extend(directory);
    out.extend([b"PK\x05\x06\0\0\0\0".as_slice(), &count, &count, &len, &at, &[0, 0]].concat());
    out
}

fn link(id: &str, kind: &str, target: &str) -> String {
    format!("<Relationship Id=\"{id}\" Type=\"http://x/{kind}\" Target=\"{target}\"/>")
}

pub(crate) fn docx(body: &str) -> Vec<u8> {
    zip(&[
        ("_rels/.rels", &link("r1", "officeDocument", "word/document.xml")),
        (
            "word/_rels/document.xml.rels",
            &(link("r1", "header", "h.xml") + &link("r2", "footnotes", "f.xml")),
        ),
        ("word/document.xml", &format!("<w:document><w:body>{body}</w:body></w:document>")),
        ("word/h.xml", "<w:hdr><w:p><w:r><w:t>Header</w:t></w:r></w:p></w:hdr>"),
        ("word/f.xml", "<w:footnotes><w:p><w:r><w:t>Note</w:t></w:r></w:p></w:footnotes>"),
    ])
}

pub(crate) fn pptx() -> Vec<u8> {
    let slide = |text: &str| format!("<p:sld><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sld>");
    zip(&[
        ("_rels/.rels", &link("r1", "officeDocument", "ppt/presentation.xml")),
        (
            "ppt/_rels/presentation.xml.rels",
            &(link("r1", "slide", "slides/s1.xml") + &link("r2", "slide", "slides/s2.xml")),
        ),
        (
            "ppt/presentation.xml",
            "<p:presentation><p:sldId r:id=\"r2\"/><p:sldId r:id=\"r1\"/></p:presentation>",
        ),
        ("ppt/slides/s1.xml", &slide("Second")),
        ("ppt/slides/s2.xml", &slide("First")),
        ("ppt/slides/_rels/s2.xml.rels", &link("r1", "notesSlide", "../n.xml")),
        ("ppt/n.xml", "<p:notes><a:p><a:t>Speak</a:t></a:p></p:notes>"),
    ])
}

pub(crate) fn xlsx() -> Vec<u8> {
    zip(&[
        ("_rels/.rels", &link("r1", "officeDocument", "xl/workbook.xml")),
        (
            "xl/_rels/workbook.xml.rels",
            &(link("r1", "worksheet", "s.xml")
                + &link("r2", "sharedStrings", "t.xml")
                + &link("r3", "styles", "y.xml")),
        ),
        ("xl/workbook.xml", "<workbook><sheets><sheet name=\"Costs\" r:id=\"r1\"/></sheets></workbook>"),
        (
            "xl/t.xml",
            "<sst><si><t>Name</t></si><si><r><t>Ri</t></r><r><t>ch</t></r><rPh><t>no</t></rPh></si></sst>",
        ),
        ("xl/y.xml", "<styleSheet><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/></cellXfs></styleSheet>"),
        (
            "xl/s.xml",
            "<worksheet><row><c t=\"s\"><v>0</v></c><c t=\"s\"><v>1</v></c></row><row><c s=\"1\"><v>44197</v></c>\
             <c><v>1.5</v></c><c t=\"inlineStr\"><is><t>in</t></is></c></row></worksheet>",
        ),
    ])
}

pub(crate) fn odt() -> Vec<u8> {
    zip(&[
        ("mimetype", "application/vnd.oasis.opendocument.text"),
        (
            "content.xml",
            "<office:document-content><text:tracked-changes><text:p>gone</text:p></text:tracked-changes>\
             <text:h>Title</text:h><text:p>a<text:s text:c=\"2\"/>b<text:tab/>c</text:p><table:table>\
             <table:table-row><table:table-cell><text:p>x</text:p></table:table-cell><table:table-cell>\
             <text:p>y</text:p></table:table-cell></table:table-row></table:table></office:document-content>",
        ),
    ])
}

pub(crate) fn epub() -> Vec<u8> {
    zip(&[
        ("META-INF/container.xml", "<container><rootfile full-path=\"O/p.opf\"/></container>"),
        (
            "O/p.opf",
            "<package><item id=\"a\" href=\"a%20b.xhtml\"/><item id=\"b\" href=\"b.xhtml\"/>\
             <itemref idref=\"b\"/><itemref idref=\"a\"/></package>",
        ),
        ("O/a b.xhtml", "<p>second</p>"),
        ("O/b.xhtml", "<p>first</p>"),
    ])
}

/// A PDF without a table of its objects, whose page shows `content`.
pub(crate) fn pdf(content: &str, packed: bool) -> Vec<u8> {
    let (body, filter) = if packed {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(content.as_bytes()).unwrap();
        (packer.finish().unwrap(), "/Filter /FlateDecode")
    } else {
        (content.as_bytes().to_vec(), "")
    };
    let mut out = b"%PDF-1.4\n1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj\n2 0 obj << /Kids [3 0 R] /Count 1 >> endobj\n\
        3 0 obj << /Type /Page /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >> endobj\n\
        5 0 obj << /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding << /Differences [1 /eacute] >> >> endobj\n\
        trailer << /Root 1 0 R >>\n"
        .to_vec();
    out.extend(format!("4 0 obj << /Length {} {filter} >> stream\n", body.len()).into_bytes());
    out.extend(body);
    out.extend(b"\nendstream endobj\n");
    out
}

/// A PDF whose page has no content.
pub(crate) fn pdf_of_empty_pages() -> Vec<u8> {
    b"%PDF-1.4\n1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj\n2 0 obj << /Kids [3 0 R] /Count 1 >> endobj\n\
        3 0 obj << /Type /Page >> endobj\ntrailer << /Root 1 0 R >>\n"
        .to_vec()
}

pub(crate) const PAGE: &str =
    "BT /F 12 Tf 72 720 Td [(Hel) 20 (lo) -400 (World)] TJ 0 -14 Td (caf\\001) Tj T* ET";

/// One of each, with its content type's extension.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("txt", b"Plain text, na\xefve".to_vec()),
        ("html", b"<html><title>T</title><p>One<table><tr><td>a<td>b</table><!-- x --></html>".to_vec()),
        (
            "rtf",
            br"{\rtf1\ansi\ansicpg1251{\fonttbl{\f0\fcharset134 x;}}\f0 \'ba\'bc\u233?{\*\x y}\par z\cell}"
                .to_vec(),
        ),
        ("docx", docx("<w:p><w:r><w:t>Body</w:t></w:r></w:p>")),
        ("pptx", pptx()),
        ("xlsx", xlsx()),
        ("odt", odt()),
        ("epub", epub()),
        ("pdf", pdf(PAGE, false)),
        ("pdf", pdf(PAGE, true)),
    ]
}
