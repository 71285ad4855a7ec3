"""Texts from every kind of source, and every kind of trouble that they come with."""

import csv
import json
import unicodedata
from typing import Any

import numpy as np
import pytest
import torch

from ectype.domains import recognise
from ectype.domains.base import PrepareOptions
from ectype.domains.text.domain import TextDomain, TextSettings, group_of
from ectype.domains.text.pages import sheet
from ectype.errors import DataError, UsageError

NAMES = ["Ada", "Bob", "Cleo", "Dora", "Emil", "Finn", "Gus", "Hana", "Ivo", "Jan", "Kim", "Lea"]
POEM = "O rose, thou art sick!\nThe invisible worm"

domain = TextDomain()


def prepare(source, labels="auto", **settings) -> Any:
    return domain.prepare(source, TextSettings(**settings), PrepareOptions(labels=labels))


def texts_of(dataset):
    return domain.present(dataset.items, dataset.spec)


def written(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# --- sources --------------------------------------------------------------------------------


def test_a_line_is_a_text(tmp_path):
    file = written(tmp_path / "names.txt", "\n".join(NAMES) + "\n\n")
    dataset = prepare(file)
    assert recognise(file).name == "text"
    assert texts_of(dataset) == NAMES
    assert dataset.spec.unit == "lines"
    assert dataset.spec.shape == (5,), "four letters and the end"
    assert dataset.items.dtype == np.uint8
    assert any("Each line is a text" in note for note in dataset.notes)
    assert sum(len(index) for index in dataset.parts.values()) == 12


def test_blocks_between_blank_lines_are_texts(tmp_path):
    poems = [f"{POEM} {i}" for i in range(9)]
    file = written(tmp_path / "poems.txt", "\r\n \r\n".join(poems).replace("\n", "\r\n"))
    dataset = prepare(file)
    assert texts_of(dataset) == poems
    assert dataset.spec.unit == "blocks"
    assert any("Each block" in note for note in dataset.notes)
    assert len(texts_of(prepare(file, unit="lines"))) == 18
    # a list with a blank line now and then is a list
    groups = ["\n".join(f"{letter}{i}" for i in range(30)) for letter in "abcdefghij"]
    assert prepare(written(tmp_path / "list.txt", "\n\n".join(groups))).spec.unit == "lines"


def test_folders_are_labels_and_files_are_texts(tmp_path):
    for label in ("sonnets", "limericks"):
        for i in range(12):
            written(tmp_path / "poems" / label / f"{i}.txt", f"{label} {i}\n\nend")
    written(tmp_path / "poems" / "README.md", "no text of ours")
    dataset = prepare(tmp_path / "poems")
    assert recognise(tmp_path / "poems").name == "text"
    assert dataset.spec.labels == ("limericks", "sonnets")
    assert dataset.spec.unit == "files"
    assert len(dataset.items) == 24
    assert dataset.labels is not None
    for text, label in zip(texts_of(dataset), dataset.labels, strict=True):
        assert text.startswith(dataset.spec.labels[label])
    assert prepare(tmp_path / "poems", labels="none").spec.labels == ()
    assert any("1 files that do not end in .txt" in note for note in dataset.notes)


def test_folders_named_train_and_test_are_parts(tmp_path):
    """As aclImdb comes, with a file of something else beside them."""
    for folder in ("train/pos", "train/neg", "test/pos", "test/neg"):
        for i in range(10):
            written(tmp_path / "films" / folder / f"{i}.txt", f"{folder} {i}")
    written(tmp_path / "films" / "ratings.txt", "1.5\n" * 100_000)
    dataset = prepare(tmp_path / "films")
    assert dataset.spec.labels == ("neg", "pos")
    texts = texts_of(dataset)
    assert {texts[i] for i in dataset.parts["test"]} == {t for t in texts if t.startswith("test")}
    assert len(dataset.parts["train"]) + len(dataset.parts["validation"]) == 20
    assert any("test as the data prescribe" in note for note in dataset.notes)


def test_few_files_hold_a_text_a_line(tmp_path):
    for label in ("x", "y"):
        written(tmp_path / "set" / label / "all.txt", "\n".join(f"{n} {label}" for n in NAMES))
    dataset = prepare(tmp_path / "set")
    assert len(dataset.items) == 24
    assert dataset.spec.labels == ("x", "y")


def test_json_lines_name_their_columns(tmp_path):
    rows = [{"id": i, "text": name, "label": "ab"[i % 2]} for i, name in enumerate(NAMES)]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    file = written(tmp_path / "names.jsonl", "\n".join([*lines, "{broken", '{"id": 3}']))
    dataset = prepare(file)
    assert texts_of(dataset) == NAMES
    assert dataset.spec.labels == ("a", "b")
    assert [reject.reason for reject in dataset.rejects] == [
        "it is no JSON",
        "“text” holds no text",
    ]
    assert prepare(file, labels="none").spec.labels == ()
    with pytest.raises(UsageError, match="no column “name”"):
        prepare(file, column="name")
    further = domain.read(file, dataset.spec)
    assert len(further.items) == 12
    assert further.labels is not None
    assert further.labels.tolist() == [0, 1] * 6
    assert domain.read(NAMES, dataset.spec).labels is None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_tables_and_json_lines_may_begin_with_a_byte_order_mark(encoding, tmp_path):
    rows = "\n".join(json.dumps({"text": name}) for name in NAMES)
    assert texts_of(prepare(written(tmp_path / "a.jsonl", rows.encode(encoding)))) == NAMES
    table = "\n".join(f"{name},x" for name in ["text", *NAMES])
    assert texts_of(prepare(written(tmp_path / "a.csv", table.encode(encoding)))) == NAMES


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_of_a_table_is_found_out(separator, tmp_path):
    said = [f"{name}, how are you? {i % 3}" for i, name in enumerate(NAMES)]
    rows = [separator.join([f'"{text}"', "ab"[i % 2]]) for i, text in enumerate(said)]
    table = "\n".join([separator.join(["text", "label"]), *rows])
    dataset = prepare(written(tmp_path / "said.csv", table))
    assert texts_of(dataset) == said
    assert dataset.spec.labels == ("a", "b")
    assert any("Fields are separated" in note for note in dataset.notes) == (separator != ",")


def test_a_row_of_too_many_fields_is_left_out(tmp_path):
    rows = [*(f"{name},a" for name in NAMES), "Hello, you,b"]
    dataset = prepare(written(tmp_path / "said.csv", "\n".join(["text,label", *rows])))
    assert texts_of(dataset) == NAMES
    assert dataset.rejects[0].item == "said.csv, row 14"
    assert dataset.rejects[0].reason.startswith("it has 3 fields of 2: a text that holds commas")


def test_a_column_alone_is_lines_of_text(tmp_path):
    said = [f"Hello number {i}, how are you; well" for i in range(12)]
    quoted = ['"So, they say ""yes"""', '"two\nlines, here"', '"Hi," he said. "Bye, then."']
    dataset = prepare(written(tmp_path / "said.csv", "\r\n".join(["text", *said, *quoted])))
    assert texts_of(dataset) == [
        *said,
        'So, they say "yes"',
        "two\nlines, here",
        '"Hi," he said. "Bye, then."',
    ]
    assert dataset.spec.column == "text"
    assert any("names one column" in note for note in dataset.notes)


def test_line_ends_within_texts_are_made_one(tmp_path):
    verses = [f"O rose {i}\r\nthou art\rsick" for i in range(9)]
    plain = [f"O rose {i}\nthou art\nsick" for i in range(9)]
    assert texts_of(prepare(verses)) == plain
    rows = "\n".join(json.dumps({"text": verse}) for verse in verses)
    assert texts_of(prepare(written(tmp_path / "a.jsonl", rows))) == plain


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_a_column_of_a_table_holds_texts(suffix, tmp_path):
    file = tmp_path / f"names.{suffix}"
    rows = [
        {"n": i, "who": f"{name}, “{name}”", "kind": "ab"[i % 2]} for i, name in enumerate(NAMES)
    ]
    if suffix == "parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    else:
        with file.open("w", newline="", encoding="utf-8") as stream:
            table = csv.DictWriter(stream, rows[0], delimiter="\t" if suffix == "tsv" else ",")
            table.writeheader()
            table.writerows(rows)
    dataset = prepare(file, labels="kind")
    assert texts_of(dataset)[0] == "Ada, “Ada”", "the longest texts are in “who”"
    assert dataset.spec.labels == ("a", "b")
    assert texts_of(prepare(file, column="kind"))[:2] == ["a", "b"]
    with pytest.raises(UsageError, match="no column “colour”"):
        prepare(file, labels="colour")
    assert not domain.recognises(file), "a table unless somebody says otherwise"


def test_a_list_of_texts(tmp_path):
    assert recognise(NAMES).name == "text"
    assert recognise((NAMES, ["a", "b"] * 6)).name == "text"
    assert prepare((NAMES, ["a", "b"] * 6)).spec.labels == ("a", "b")
    assert texts_of(prepare(("Ada", "Bob") * 6))[:2] == ["Ada", "Bob"], "a tuple of texts"
    with pytest.raises(DataError, match="12 texts and 3 labels"):
        prepare((NAMES, ["a", "b", "c"]))
    assert not domain.recognises([1, 2])
    assert not domain.recognises(np.zeros((4, 4)))
    dataset = prepare([*NAMES, 7, None])
    assert [reject.item for reject in dataset.rejects] == ["item 12", "item 13"]


# --- trouble --------------------------------------------------------------------------------


def test_three_lines_are_too_few(tmp_path):
    with pytest.raises(DataError, match="only 3 texts to learn from") as raised:
        prepare(written(tmp_path / "few.txt", "a\nb\nc\n"))
    assert "thousands are better" in str(raised.value)
    with pytest.raises(DataError, match="no text can be used"):
        prepare(written(tmp_path / "empty.txt", "\n \n"))


def test_faulty_lines_are_left_out_by_name(tmp_path):
    good = "\n".join(NAMES).encode()
    bad = [b"nul\0l", "damaged �".encode(), "café".encode("latin-1"), b"bell\x07"]
    file = written(tmp_path / "mixed.txt", good + b"\n" + b"\n".join([*bad, b"x" * 2**20]))
    dataset = prepare(file)
    assert texts_of(dataset) == NAMES
    reasons = {reject.item: reject.reason for reject in dataset.rejects}
    assert "NUL" in reasons["mixed.txt, line 13"]
    assert "U+FFFD" in reasons["mixed.txt, line 14"]
    assert "0xE9 is no UTF-8" in reasons["mixed.txt, line 15"]
    assert "U+0007" in reasons["mixed.txt, line 16"]
    assert "1,048,576 characters" in reasons["mixed.txt, line 17"]


def test_a_binary_file_is_no_text(tmp_path):
    content = np.random.default_rng(0).integers(0, 256, 4096, np.uint8).tobytes()
    with pytest.raises(DataError, match="no text can be used") as raised:
        prepare(written(tmp_path / "photo.txt", content))
    assert "UTF-8" in str(raised.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_names_the_encoding(encoding, tmp_path):
    file = written(tmp_path / "names.txt", "\n".join(["数学", *NAMES]).encode(encoding))
    assert texts_of(prepare(file))[0] == "数学"


def test_texts_are_normalised_to_nfc():
    texts = [unicodedata.normalize("NFD", name) for name in ["Zoë", "Renée", "Ångström", *NAMES]]
    assert texts_of(prepare(texts))[:3] == ["Zoë", "Renée", "Ångström"]


def test_much_longer_texts_are_left_out_or_cut():
    texts = [f"{name} {i}" for i in range(20) for name in NAMES]
    long = "word " * 60
    dataset = prepare([*texts, long])
    assert dataset.spec.shape[0] < 12
    assert "more than the" in dataset.rejects[0].reason
    assert any("left out (data.longer=cut" in note for note in dataset.notes)
    cut = prepare([*texts, long], longer="cut")
    assert texts_of(cut)[-1] == long[: cut.spec.shape[0]]
    many = prepare([*texts, *[f"{long}{i}" for i in range(100)]], length=20)
    assert len(many.items) == 340, "they are many, so they are cut"
    assert any("data.length=20 says" in note for note in many.notes)


def test_equal_texts_share_a_part():
    texts = [f"text {i % 40}" if i % 3 else f"Text, {i % 40}!" for i in range(120)]
    dataset = prepare(texts, test=0.3)
    groups = [{group_of(texts[i]) for i in index} for index in dataset.parts.values()]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert any("80 repeat another" in note for note in dataset.notes)


def test_the_fingerprint_follows_the_texts():
    first = prepare(NAMES).fingerprint
    assert prepare([*NAMES]).fingerprint == first
    assert prepare([*NAMES[:-1], "Leo"]).fingerprint != first


# --- tokens ---------------------------------------------------------------------------------

SCRIPTS = {
    "chinese": [
        "生成模型",
        "学习数据",
        "数据分布",
        "新的文字",
        "天地玄黄",
        "宇宙洪荒",
        "日月盈昃",
        "辰宿列张",
    ],
    "arabic": [
        "السلام عليكم",
        "كيف حالك",
        "صباح الخير",
        "شكرا جزيلا",
        "مَرْحَبًا",
        "إلى اللقاء",
        "نعم",
        "لا",
    ],
    "emoji": ["👩‍🚀🚀", "🇫🇷🥖", "👍🏽", "😀😃😄", "🏳️‍🌈", "🎉🎂", "🧑‍🍳🍕", "❤️‍🔥"],
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("tokens", ["auto", "characters", "bytes", "bpe"])
def test_any_script_goes_through(script, tokens, tmp_path):
    if tokens == "bpe":
        pytest.importorskip("tokenizers")
    texts = [unicodedata.normalize("NFC", text) for text in SCRIPTS[script]]
    dataset = prepare(texts, tokens=tokens)
    assert texts_of(dataset) == texts
    network = domain.to_network(torch.from_numpy(dataset.items), dataset.spec)
    stored = domain.from_network(network, dataset.spec)
    assert stored.dtype == dataset.items.dtype
    assert np.array_equal(stored, dataset.items)
    # whatever is drawn is text, without a replacement character
    size = dataset.spec.vocabulary_made().size
    drawn = np.random.default_rng(0).integers(0, size, (50, *dataset.spec.shape))
    assert "�" not in "".join(domain.present(drawn.astype(stored.dtype), dataset.spec))
    (file,) = domain.write(stored, dataset.spec, tmp_path, None)
    assert file.read_text(encoding="utf-8").splitlines() == texts


def test_unknown_characters_are_named_when_further_texts_are_read():
    spec = prepare([*NAMES, "not"]).spec
    further = domain.read(["Ada", "Žofie", "Clement"], spec)
    assert domain.present(further.items, spec) == ["Ada", "Cleme"], "the last is cut"
    assert further.rejects[0].reason.endswith("the training texts lack: Žf")
    with pytest.raises(DataError, match="no text can be used"):
        domain.read(["数学"], spec)


def test_long_texts_are_learned_in_pieces_of_words():
    pytest.importorskip("tokenizers")
    sentence = "the quick brown fox jumps over the lazy dog and runs into the wide green forest "
    texts = [f"{i} {sentence * 2}" for i in range(40)]
    dataset = prepare(texts)
    assert dataset.spec.tokens == "bpe"
    assert dataset.spec.shape[0] < 80
    assert texts_of(dataset) == [text.strip() for text in texts]


def test_without_the_extra_a_clear_word(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(UsageError, match=r"ectype\[text\]"):
        prepare(NAMES, tokens="bpe")


# --- pages ----------------------------------------------------------------------------------


def test_sheets_stand_in_columns_where_there_is_room():
    assert sheet(["Ada", "Boole", "数学"], 2) == "Ada   Boole\n数学\n"
    assert sheet(["x" * 80, "y" * 80], 2).splitlines() == ["x" * 80, "y" * 80]
    assert sheet([POEM, ""], 1).splitlines()[0].startswith("O rose, thou art sick! ⏎ The")
    assert sheet([], None) == "\n"


def test_blocks_and_files_are_written_as_they_were(tmp_path):
    poems = [f"{POEM}\n{i}" for i in range(9)]
    dataset = prepare(written(tmp_path / "poems.txt", "\n\n".join(poems)))
    (file,) = domain.write(dataset.items, dataset.spec, tmp_path / "out", None)
    assert texts_of(prepare(file)) == poems
    files = prepare([f"{POEM}\n\n{i}" for i in range(9)])
    (file,) = domain.write(files.items, files.spec, tmp_path / "out", None)
    assert [json.loads(line)["text"] for line in file.read_text().splitlines()] == texts_of(files)


def test_pieces_of_words_are_of_the_bytes_that_the_data_have():
    pytest.importorskip("tokenizers")
    dataset = prepare([f"{name} and {name}" for name in NAMES], tokens="bpe")
    further = domain.read(["Ada and Bob", "Ada & Bob"], dataset.spec)
    assert domain.present(further.items, dataset.spec) == ["Ada and Bob"]
    assert further.rejects[0].reason.endswith("lack: &")
