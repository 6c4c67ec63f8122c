"""My own expectations of my own model: pytest test_my_model.py --mcp-model=finetuned=OUT"""


def test_a_file_is_read_by_its_name(finetuned_model):
    result = finetuned_model.call("Read package.json")
    assert result.status == "parsed"
    assert [call.name for call in result.calls] == ["read"]
    assert result.calls[0].arguments == {"file_path": "package.json"}


def test_thanks_are_not_a_request(mcp_model):
    assert mcp_model.call("thanks, that file was right").status == "no_attempt"
