import pytest

from pipeline.atomic import replaced_file
from profiles.errors import UsageError


def test_the_file_appears_when_the_block_ends(tmp_path):
    """Until then the old content stays."""
    path = tmp_path / "out.csv"
    path.write_text("old")
    with replaced_file(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def write_half(path, error):
    with replaced_file(path) as temporary:
        temporary.write_text("half")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_block_leaves_nothing(tmp_path, error):
    """Neither a part of the file nor the temporary one."""
    with pytest.raises(error):
        write_half(tmp_path / "out.csv", error)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_and_a_folder_are_refused(tmp_path):
    """The error says so before any work is done."""
    with (
        pytest.raises(UsageError, match="expected its folder to exist"),
        replaced_file(tmp_path / "no" / "out.csv"),
    ):
        pass
    with pytest.raises(UsageError, match="found a folder"), replaced_file(tmp_path):
        pass
