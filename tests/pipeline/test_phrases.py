import pytest

from pipeline.phrases import contrastive_phrases

TEMPLATE = "\nAnswer with the correct letter and explain why."


def of(*groups):
    return [list(group) for group in groups]


def test_phrases_stand_in_the_texts():
    """A phrase is words in a row of one clause, between words of content."""
    cards = ["the credit limit of my card", "raise my credit limit", "is my credit limit low"]
    cards += ["why credit, limit"]
    (first, *_), (second, *_) = contrastive_phrases(of(cards, ["bake a cake", "cake tin"]))
    assert (first, second) == ("credit limit", "cake")


def test_a_template_of_several_groups_names_none():
    """A clause that three groups hold word for word is left out before counting."""
    groups = [[f"{word} {n}{TEMPLATE}" for n in range(4)] for word in ("zebra", "lemon", "onyx")]
    assert contrastive_phrases(groups) == [("zebra",), ("lemon",), ("onyx",)]


def test_a_template_of_one_group_names_it():
    """What only this group is asked says what it is."""
    cloze = [f"Complete the sentence: {name} went home" for name in ("Ann", "Bob", "Cid", "Dan")]
    (first, *_), _ = contrastive_phrases(of(cloze, ["bake a cake", "cake tin", "a cake"]))
    assert first == "complete the sentence"


def test_text_of_the_template_alone_is_kept():
    """Nothing but shared clauses is still something to name by."""
    groups = [["Say hello", "Say hello"], ["Say hello", "Say hello"], ["Say hello"] * 2]
    assert contrastive_phrases(groups) == [(), (), ()]


def test_no_word_is_said_twice():
    """Phrases of one group share no word, nor forms of one."""
    texts = ["book a flight", "booking flights", "flight booking", "a flight to Rome", "to Rome"]
    (found, _) = contrastive_phrases(of(texts, ["bake a cake", "cake tin"]))
    assert sorted(found) == ["flight", "rome"] or sorted(found) == ["booking", "flight", "rome"]
    assert len({word[:4] for phrase in found for word in phrase.split()}) == len(found)


def test_instruction_alone_is_no_phrase():
    """Please explain and give an example: of what?"""
    groups = of(["please explain briefly"] * 3, ["give an example"] * 3)
    assert contrastive_phrases(groups) == [(), ()]


def test_scripts_without_spaces():
    """Characters in a row are a phrase."""
    groups = of(["我想取消订单", "请取消订单"], ["今天天气怎么样", "明天天气好吗"])
    (first, *_), (second, *_) = contrastive_phrases(groups)
    assert "订单" in first
    assert "天气" in second


@pytest.mark.parametrize("groups", [[], [[]], [["one"]], [["", " "]], [["…?!"], ["12 34", "12"]]])
def test_nothing_to_say(groups):
    """Without a word said twice there is no phrase."""
    assert contrastive_phrases(groups) == [() for _ in groups]


def test_row_order_is_irrelevant_for_few_texts():
    """Counting does not depend on who comes first."""
    texts = ["sort a list", "a list of names", "names to sort", "sort names"]
    rest = ["bake a cake", "cake tin"]
    assert contrastive_phrases(of(texts, rest)) == contrastive_phrases(of(texts[::-1], rest))
