import json


def test_search_prints_the_nearest_prompts(run):
    """As a table for people, as JSON with ids and whole texts."""
    run("discover")
    code, out, err = run("search", "integral", "of", "x", "--most", 3)
    assert code == 0
    assert out.splitlines()[0].split() == ["cosine", "prompt"]
    assert len(out.splitlines()) == 4
    assert "for the same text" in err
    found = json.loads(run("search", "integral of x", "--most", 3, "--json")[1])
    assert [sorted(row) for row in found] == [["cosine", "prompt_id", "text"]] * 3
    assert [row["cosine"] for row in found] == sorted((r["cosine"] for r in found), reverse=True)
    again = json.loads(run("search", found[0]["text"], "--most", 1, "--json")[1])
    assert again[0]["prompt_id"] == found[0]["prompt_id"]


def test_a_search_before_discovery_names_the_next_step(run):
    """No vectors, no search."""
    code, _, err = run("search", "anything")
    assert code == 1
    assert "promptshed discover" in err


def test_a_search_for_nothing_is_refused(run):
    """White space has no meaning that a prompt could be near to."""
    run("discover")
    code, out, err = run("search", " ", "")
    assert (code, out) == (2, "")
    assert "Expected words" in err
