"""Master keys as operators write them."""

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.tenants.vault import MasterKey, MasterKeys, generate_master_key

WHOLE = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="


@pytest.mark.parametrize("between", [",", " , ", "\n", "\r\n\n", ",\n"])
def test_several_keys_of_which_the_first_is_current(between: str) -> None:
    texts = [generate_master_key() for _ in range(3)]
    keys = MasterKeys.parse(between.join(texts) + "\n")
    assert keys.current.id == MasterKey.parse(texts[0]).id
    assert keys.ids == {MasterKey.parse(text).id for text in texts}
    for text in texts:
        found = keys.find(MasterKey.parse(text).id)
        assert found is not None
        assert found.derive("purpose", "acme") == MasterKey.parse(text).derive("purpose", "acme")
    assert keys.find("0" * 16) is None


@pytest.mark.parametrize("text", ["", " \n", ",", "c2hvcnQ=", f"{WHOLE},c2hvcnQ="])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        MasterKeys.parse(text)


def test_derives_as_rfc_5869_says() -> None:
    # What is kept was encrypted with such keys: were they to change, it could not be read any more.
    info = b"umail-gateway\0cache\0acme"
    expected = HKDF(SHA256(), 32, salt=None, info=info).derive(b"\x01" * 32)
    assert MasterKey.parse(WHOLE).derive("cache", "acme") == expected
