"""The guess of how items are shown: a column of titles and one of URLs of pictures, by name and values."""

import pytest

from guessing.test_guessing import clicks, guess, ids, write

PICTURES = [f"https://images.example/{item}.jpg" for item in ids(25)]


@pytest.mark.parametrize(
    ("columns", "display"),
    [
        ({"title": ids(25), "image": PICTURES}, {"title": "title", "image": "image"}),
        ({"imageUrl": PICTURES, "item_name": [f"p {i}" for i in ids(25)]}, {"title": "item_name", "image": "imageUrl"}),
        ({"name": list("abcde" * 5), "Title": [f"t {i}" for i in range(25)]}, {"title": "Title", "image": None}),
        ({"cover": list("abcde" * 5), "title": PICTURES}, None),  # a cover that is no address, a title that is one
        ({"image": list(range(25)), "price": [0.5] * 25}, None),
    ],
)  # fmt: skip
def test_columns_by_name_and_values(tmp_path, columns, display) -> None:
    log = write(tmp_path / "clicks.parquet", **clicks())
    columns = {name: [f"t{value}" for value in values] if name == "title" and values[0] == "000" else values
               for name, values in columns.items()}  # fmt: skip
    items = write(tmp_path / "items.csv", item_id=ids(25), **columns)
    text, schema = guess(tmp_path, log, items)
    assert (schema.display is None) == ("display:" not in text) == (display is None)
    if display is not None:
        assert schema.display.model_dump() == {"table": "items", **display}
