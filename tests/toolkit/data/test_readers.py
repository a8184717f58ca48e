"""Files of every kind are read alike, and what is wrong with one is said in a line or counted."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from toolkit import config
from toolkit.data.prepare import Prepared, prepare
from toolkit.data.sources.files import Broken, read_file
from toolkit.errors import UserError
from toolkit.records.data import RowCounts
from toolkit.specs import DataSpec

COLUMNS = ("title", "ingredients", "directions")
ROWS = [
    {
        "title": f"Dish {name}",
        "ingredients": [f"{name}{n}" for n in range(3)],
        "directions": [f"Take {name}{n}." for n in range(9)],
    }
    for name in ("ant", "bee", "cat", "dog", "eel", "fox")
]


def csv_text(rows: list[dict[str, object]] = ROWS, separator: str = ",") -> str:
    """RecipeNLG's form: lists as JSON in quoted cells."""
    lines = [separator.join(COLUMNS)]
    for row in rows:
        cells = [
            value if isinstance(value, str) else json.dumps(value) for value in (row[c] for c in COLUMNS)
        ]
        lines.append(separator.join('"' + cell.replace('"', '""') + '"' for cell in cells))
    return "\n".join(lines) + "\n"


def done(tmp_path: Path, *names: str, train: int = 4, **more: object) -> Prepared:
    """The six rows prepared, 4 + 1 + 1."""
    dataset = config.dataset({"name": "mine", "files": [str(tmp_path / name) for name in names], **more})
    return prepare(dataset, DataSpec(train=train, validation=1, test=1), tmp_path / "cache")


def _csv(path: Path) -> None:
    path.write_text(csv_text())


def _bom(path: Path) -> None:
    path.write_text("\ufeff" + csv_text().replace("\n", "\r\n"))


def _tsv(path: Path) -> None:
    path.write_text(csv_text(separator="\t"))


def _gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(csv_text().encode()))


def _jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n\n" for row in ROWS))


def _array(path: Path) -> None:
    path.write_text(json.dumps(ROWS))


def _object(path: Path) -> None:
    path.write_text(json.dumps({row["title"]: row for row in ROWS}))


def _parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), path)


KINDS: dict[str, Callable[[Path], None]] = {
    "a.csv": _csv,
    "bom.csv": _bom,
    "a.tsv": _tsv,
    "a.csv.gz": _gzip,
    "gzip-without-saying-so.csv": _gzip,
    "a.jsonl": _jsonl,
    "array.json": _array,
    "object.json": _object,
    "a.parquet": _parquet,
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_gives_the_same_parts(name: str, tmp_path: Path) -> None:
    """Six rows in nine kinds of file: the fingerprints of the plain CSV each time."""
    (tmp_path / "plain.csv").write_text(csv_text())
    KINDS[name](tmp_path / name)
    expected = done(tmp_path, "plain.csv")
    assert len({*expected.train, *expected.validation, *expected.test}) == 6
    assert done(tmp_path, name).fingerprints == expected.fingerprints


def test_several_files_and_patterns_are_read_as_one(tmp_path: Path) -> None:
    """Three rows in each of two files are the six rows of one, named one by one or by a pattern."""
    (tmp_path / "all.csv").write_text(csv_text())
    (tmp_path / "part-1.csv").write_text(csv_text(ROWS[:3]))
    (tmp_path / "part-2.csv").write_text(csv_text(ROWS[3:]))
    whole = done(tmp_path, "all.csv").fingerprints
    assert done(tmp_path, "part-2.csv", "part-1.csv").fingerprints == whole
    assert done(tmp_path, "part-*.csv").fingerprints == whole


def test_a_filter_keeps_rows_and_counts_the_others(tmp_path: Path) -> None:
    """Of seven rows one is of another source: six are left, one is filtered out."""
    lines = csv_text([*ROWS, {**ROWS[0], "title": "Other"}]).splitlines()
    sources = ["source", *["Gathered"] * 6, "Recipes1M"]
    text = "\n".join(f"{line},{source}" for line, source in zip(lines, sources, strict=True))
    (tmp_path / "a.csv").write_text(text)
    rows = done(tmp_path, "a.csv", where={"source": "Gathered"}).report.rows
    assert rows == RowCounts(total=7, filtered_out=1, accepted=6)


@pytest.mark.parametrize("wanted", [True, "true", "True"])
def test_a_filter_reads_booleans_and_numbers_as_yaml_writes_them(tmp_path: Path, wanted: object) -> None:
    """One row of seven has false; the others true, as a boolean or spelt."""
    spelt = [False, True, "true", "TRUE", True, True, True]
    rows = [
        {**row, "ok": spelt[place], "stars": 5.0}
        for place, row in enumerate([{**ROWS[0], "title": "x"}, *ROWS])
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    counted = done(tmp_path, "a.jsonl", where={"ok": wanted, "stars": 5}).report.rows
    assert counted == RowCounts(total=7, filtered_out=1, accepted=6)


def test_sections_are_mapped_to_columns(tmp_path: Path) -> None:
    """A file that says `steps` gives the same parts as one that says `directions`."""
    (tmp_path / "a.csv").write_text(csv_text())
    (tmp_path / "b.csv").write_text(csv_text().replace("directions", "steps", 1))
    mapped = done(tmp_path, "b.csv", fields={"directions": "steps"})
    assert mapped.fingerprints == done(tmp_path, "a.csv").fingerprints


def test_a_named_parser_reads_a_single_text_column(tmp_path: Path) -> None:
    """Title, blank line, headed lists: the same parts as from three columns."""
    (tmp_path / "a.csv").write_text(csv_text())
    texts = [
        f"{row['title']}\n\nIngredients:\n"
        + "\n".join(f"- {i}" for i in row["ingredients"])
        + "\n\nDirections:\n"
        + "\n".join(f"- {i}" for i in row["directions"])
        for row in ROWS
    ]
    (tmp_path / "b.jsonl").write_text("".join(json.dumps({"input": text}) + "\n" for text in texts))
    parsed = done(tmp_path, "b.jsonl", parser="headed-lists", fields={"text": "input"})
    assert parsed.fingerprints == done(tmp_path, "a.csv").fingerprints


# --- what is wrong with a row is counted


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"only,two", "fewer cells than columns"),
        (b"a,b,c,d", "more cells than columns"),
        (b"caf\xe9,a,b", "invalid UTF-8"),
        (b"nul\x00,a,b", "NUL byte"),
        (b'pie,"[""a"", ""b",c', "ingredients: a list that cannot be read"),
        (b"pie,[1],", "no directions"),
        (b"pie,a,stir [END] eat", "a marker inside the text"),
        (b"pie,a," + b"x" * 3000, "longer than 2400 characters"),
    ],
)
def test_a_broken_row_is_counted_and_the_others_are_kept(line: bytes, reason: str, tmp_path: Path) -> None:
    """Six good rows and a broken one in their midst: six accepted, one refused, shown as an example."""
    lines = csv_text().encode().splitlines()
    (tmp_path / "a.csv").write_bytes(b"\n".join([*lines[:3], line, *lines[3:]]))
    report = done(tmp_path, "a.csv").report
    assert report.rows == RowCounts(total=7, filtered_out=0, accepted=6)
    assert {name: found.count for name, found in report.refused.items()} == {reason: 1}
    assert len(report.refused[reason].examples[0]) > 5


def test_a_field_of_fifty_megabytes_is_refused_unread(tmp_path: Path) -> None:
    """The row is counted and its example is short."""
    (tmp_path / "a.csv").write_text(csv_text() + "big,a," + "x" * 50_000_000 + "\n")
    refused = done(tmp_path, "a.csv").report.refused["directions: over 1,000,000 characters"]
    assert refused.count == 1
    assert len(refused.examples[0]) < 200


def test_broken_json_lines_are_counted(tmp_path: Path) -> None:
    """A cut line, a number and a list of lists beside six good rows."""
    lines = [json.dumps(row) for row in ROWS]
    lines += ['{"title": "cut', "7", json.dumps({**ROWS[0], "ingredients": [["a"]]})]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    refused = {name: found.count for name, found in done(tmp_path, "a.jsonl").report.refused.items()}
    assert refused == {
        "a line that is not JSON": 1,
        "a line that is no JSON object": 1,
        "ingredients: neither text nor a list of texts": 1,
    }


def test_parquet_text_that_is_no_utf8_is_counted(tmp_path: Path) -> None:
    """Arrow lets bytes pass as text; the row that holds them is refused, its neighbours are kept."""
    good = pa.Table.from_pylist(ROWS)
    titles = pa.array([b"caf\xe9", *[row["title"].encode() for row in ROWS[1:]]], pa.binary())
    broken = pa.StringArray.from_buffers(len(titles), titles.buffers()[1], titles.buffers()[2])
    pq.write_table(good.set_column(0, "title", broken), tmp_path / "a.parquet")
    rows = list(read_file(tmp_path / "a.parquet", COLUMNS))
    assert [isinstance(row, Broken) for row in rows] == [True, *[False] * 5]
    assert rows[0] == Broken("invalid UTF-8", "b'caf\\xe9'")


# --- what is wrong with a file is one line


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _folder(path: Path) -> None:
    path.mkdir()


def _cut_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(csv_text(ROWS * 50).encode())[:-40])


def _semicolons(path: Path) -> None:
    path.write_text(csv_text(separator=";"))


def _twice(path: Path) -> None:
    path.write_text("title,ingredients,directions,title\na,b,c,d\n")


def _other_columns(path: Path) -> None:
    path.write_text("name,steps\na,b\n")


def _header_only(path: Path) -> None:
    path.write_text("title,ingredients,directions\n")


def _utf16(path: Path) -> None:
    path.write_text(csv_text(), encoding="utf-16")


def _zip(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04rest")


def _open_quote(path: Path) -> None:
    path.write_text('title,ingredients,directions\n"never closed,a,b\n' + "x,y,z\n" * 2000)


def _open_quote_near_the_end(path: Path) -> None:
    path.write_text(csv_text() + '"never closed,a,b\nx,y,z\nx,y,z\n')


def _packed_yaml(path: Path) -> None:
    path.write_bytes(gzip.compress(b"- {title: a}"))


def _bad_json(path: Path) -> None:
    path.write_text('[{"title": "a"},\n{"title": }]')


def _json_number(path: Path) -> None:
    path.write_text("7")


def _json_keys(path: Path) -> None:
    path.write_text('[{"name": "a"}]')


def _array_as_lines(path: Path) -> None:
    path.write_text("[\n" + json.dumps(ROWS[0]) + "\n]")


def _no_parquet(path: Path) -> None:
    path.write_text("not parquet at all")


@pytest.mark.parametrize(
    ("name", "write", "says"),
    [
        ("a.csv", _empty, "a.csv is empty"),
        ("a.csv", _folder, r"a.csv is a folder: name its files"),
        ("a.csv.gz", _cut_gzip, r"gzip stream is damaged or ends early, after \d+ rows"),
        ("a.csv", _twice, "2 columns are called 'title': rename one"),
        ("a.csv", _semicolons, r"no column 'title'.*found 'title;ingredients;directions'.*delimiter: ';'"),
        ("a.csv", _other_columns, r"no column 'title', 'ingredients', 'directions'; found 'name', 'steps'"),
        ("a.csv", _header_only, "no rows"),
        ("a.csv", _utf16, "is UTF-16 text: save it as UTF-8"),
        ("a.csv", _zip, "is a zip archive: unpack it"),
        ("a.csv", _open_quote, r"line 2: one row takes 2,001 lines: a quote is never closed"),
        ("a.csv", _open_quote_near_the_end, r"a quote is never closed: it takes all 3 lines to the end"),
        ("a.yml.gz", _packed_yaml, r"a packed YAML file: unpack it"),
        ("a.json", _bad_json, r"a.json, line 2: not JSON"),
        ("a.json", _json_number, "expected a JSON array of objects"),
        ("a.json", _json_keys, r"no column 'title'.*found 'name'"),
        ("a.jsonl", _array_as_lines, "is one JSON array and not one value per line: name it .json"),
        ("a.parquet", _no_parquet, "not a Parquet file, or a damaged one"),
        ("a.xlsx", _csv, r"unknown kind of file '.xlsx'. Known: .csv"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(
    name: str, write: Callable[[Path], None], says: str, tmp_path: Path
) -> None:
    """Each says which file, what is wrong and what may help, and leaves no half-made cache."""
    write(tmp_path / name)
    with pytest.raises(UserError, match=says) as caught:
        done(tmp_path, name)
    assert "\n" not in str(caught.value)
    assert not [path for path in (tmp_path / "cache").glob("*") if path.is_dir()]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The path and the folder it was looked for in."""
    with pytest.raises(UserError, match=r"no file .*gone.csv \(looked in "):
        done(tmp_path, "gone.csv")
    with pytest.raises(UserError, match=r"no file matches .*gone-\*.csv"):
        done(tmp_path, "gone-*.csv")


def test_wrong_names_get_the_nearest_right_one(tmp_path: Path) -> None:
    """A section that the format lacks, and a parser that is not known."""
    (tmp_path / "a.csv").write_text(csv_text())
    with pytest.raises(UserError, match=r"unknown section 'direction'. Did you mean 'directions'"):
        done(tmp_path, "a.csv", fields={"direction": "steps"})
    with pytest.raises(UserError, match=r"unknown parser 'headed-list'. Did you mean 'headed-lists'"):
        done(tmp_path, "a.csv", parser="headed-list")


def test_too_few_documents_says_why(tmp_path: Path) -> None:
    """Six rows for 50 + 1 + 1: the line says six, and that four could be trained on."""
    (tmp_path / "a.csv").write_text(csv_text())
    with pytest.raises(
        UserError, match=r"has 6 documents in 6 rows, too few for train=50.*enough for train=4"
    ):
        done(tmp_path, "a.csv", train=50)


# --- files that never end, or that unpack to far more than they hold


def test_a_pipe_and_a_device_are_refused_unread(tmp_path: Path) -> None:
    """Reading either may never end; a study names a regular file."""
    os.mkfifo(tmp_path / "a.jsonl")
    for name in (str(tmp_path / "a.jsonl"), "/dev/zero", str(tmp_path / "*.jsonl")):
        dataset = config.dataset({"name": "mine", "files": [name]})
        with pytest.raises(UserError, match="is a pipe, a terminal or a device: write the data to a file"):
            prepare(dataset, DataSpec(train=4, validation=1, test=1), tmp_path / "cache")


@pytest.mark.parametrize("name", ["a.json.gz", "a.jsonl.gz", "a.csv.gz"])
def test_a_gzip_bomb_is_refused_while_it_is_unpacked(name: str, tmp_path: Path) -> None:
    """200 MB of one letter in 200 kB: a thousandfold, which no text is; refused after 64 MiB."""
    with gzip.open(tmp_path / name, "wb", compresslevel=9) as stream:
        for _ in range(200):
            stream.write(b"x" * 1_000_000)
    with pytest.raises(UserError, match="unpacks to more than 200 times its size"):
        list(read_file(tmp_path / name, COLUMNS))


def test_a_number_of_six_thousand_digits_is_one_line_or_one_refused_row(tmp_path: Path) -> None:
    """In a JSON array the file is refused; as a JSON line, only that row."""
    digits = "9" * 6000
    (tmp_path / "a.json").write_text(f'[{{"title": {digits}}}]')
    with pytest.raises(UserError, match="a number has too many digits"):
        list(read_file(tmp_path / "a.json", ["title"]))
    (tmp_path / "a.jsonl").write_text(f'{{"title": "x"}}\n{{"title": {digits}}}\n')
    first, second = read_file(tmp_path / "a.jsonl", ["title"])
    assert first == {"title": "x"}
    assert isinstance(second, Broken)
