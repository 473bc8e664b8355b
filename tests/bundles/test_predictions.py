"""The predictions for many files as a table."""

from PIL import Image

from xai_tf import predict_files


def test_files_are_predicted_into_rows_and_shown_in_a_notebook(three_classes, tmp_path):
    for name in ("a<b>", "b"):
        Image.new("RGB", (40, 30), (200, 10, 10)).save(tmp_path / f"{name}.png")
    (tmp_path / "letter.png").write_text("Dear all,")
    reported, steps = [], []

    table = predict_files(
        three_classes,
        tmp_path,
        progress=lambda done, total, what: steps.append((done, total)),
        on_result=lambda path, found: reported.append(path.name),
    )

    rows = table.to_rows()
    assert [row["file"] for row in rows] == [str(tmp_path / f"{n}.png") for n in ("a<b>", "b")]
    assert {row["class"] for row in rows} <= {"a", "b", "c"}
    total = sum(rows[0][f"probability {name}"] for name in ("a", "b", "c"))
    assert abs(total - 1) < 1e-6
    assert list(table.failures) == [tmp_path / "letter.png"]
    assert reported == ["a<b>.png", "b.png", "letter.png"]
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
    html = table._repr_html_()
    assert html.count("<meter") == 2
    assert "a&lt;b&gt;.png" in html
    assert "letter.png: " in html


def test_one_file_that_cannot_be_read_is_a_failure(three_classes, tmp_path):
    table = predict_files(three_classes, str(tmp_path / "nowhere.png"))

    assert (len(table), list(table.failures)) == (0, [tmp_path / "nowhere.png"])
    assert "nowhere.png" in table._repr_html_()
