"""The text of documents."""

import pytest
from alibabacloud_imm20200930 import models


def text_of(space, uri, **more):
    request = models.ExtractDocumentTextRequest(project_name=space.project, source_uri=uri, **more)
    return space.imm.extract_document_text(request).body


def test_the_text_is_given(space):
    page = "<html><body><h1>Ausflug</h1><p>ans Meer &amp; zur\u00fcck</p></body></html>"
    body = text_of(space, space.put("a b/page.html", page.encode()))
    assert body.request_id
    assert "Ausflug" in body.document_text
    assert "ans Meer & zur\u00fcck" in body.document_text


def test_the_type_may_be_told(space):
    role = models.CredentialConfig(service_role="role")
    body = text_of(space, space.put("note", b"words"), source_type="txt", credential_config=role)
    assert body.document_text == "words"


@pytest.mark.parametrize(("key", "code"), [("none.txt", "ResourceNotFound"), ("picture.png", "InvalidSourceURI")])
def test_what_gives_none(space, key, code):
    space.put("picture.png", b"\x89PNG\r\n\x1a\n")
    with pytest.raises(Exception) as caught:
        text_of(space, space.uri(key))
    assert caught.value.code == code
    assert space.uri(key) in caught.value.message
