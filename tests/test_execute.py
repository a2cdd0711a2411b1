"""`iplkit.execute`: what an executed notebook keeps of a run."""

import nbformat.v4 as nb

from iplkit.execute import _prepare_page, join_streams


def _said(text, name="stdout"):
    return nb.new_output("stream", name=name, text=text)


def test_pieces_of_one_stream_that_stand_side_by_side_become_one():
    assert join_streams([_said("a"), _said("b\n"), _said("c")]) == [_said("ab\nc")]


def test_two_streams_and_what_a_display_parts_stay_apart():
    shown = nb.new_output("display_data", data={"text/plain": "x"})
    outputs = [_said("a"), _said("b", "stderr"), shown, _said("c"), _said("d")]
    assert join_streams(outputs) == [_said("a"), _said("b", "stderr"), shown, _said("cd")]


def test_a_busy_kernel_and_an_idle_one_leave_the_same_bytes(tmp_path):
    import nbformat

    for name, pieces in (("idle", ["answer\n"]), ("busy", ["answer", "\n"])):
        cell = nb.new_code_cell("print('answer')", id="one", outputs=[_said(piece) for piece in pieces])
        nbformat.write(nb.new_notebook(cells=[cell]), tmp_path / name)
        _prepare_page(tmp_path / name)
    assert (tmp_path / "idle").read_bytes() == (tmp_path / "busy").read_bytes()
