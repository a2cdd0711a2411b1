"""The live page in a real browser: it draws what torch draws, obeys every control, and asks no other host."""

import json
from dataclasses import replace

import numpy as np
import pytest
from reader import LIVE, control, finger, move, pixels, place, press, settle
from small_book import REPOSITORY

from iplkit import zoo
from iplkit.edit.edits import Move, to_record
from iplkit.images import to_uint8
from iplkit.weights import sha256

NAME = zoo.adapted_names()[-1]
LEVELS = 2  # of 255
GROUPS = ["coarse 0–3", "middle 4–7", "fine 8–9"]


def torchs(live, edit) -> np.ndarray:
    return to_uint8(live.draw(edit))[0].permute(1, 2, 0).numpy().astype(np.int32)


def load(page, record) -> str:
    """What the page says to the text of a file."""
    page.run(f"{LIVE}.load({json.dumps(json.dumps(record))})")
    return page.run("document.querySelector('.live-status').textContent")


def test_the_first_picture_is_torchs(page, live, controls):
    assert np.abs(pixels(page) - torchs(live, controls.start())).max() <= LEVELS


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 0, "psi": 1.2},
        {"seed": 20, "psi": 0.05},
        {"second": 9, "crossover": 4},
        {"second": 9, "crossover": 0, "psi": 0.55},
        {"moves": (Move("one", (0, 1, 2, 3), 1.5), Move("one", (2,), -0.7), Move("two", (4, 5, 6, 7), -1.2), Move("two", (8, 9), 2.0), Move("two", (9,), 0.4))},
        {"moves": (Move("two", (1, 4, 8), 1.2),)},
        *({"domain": name, "share": share} for name in zoo.adapted_names() for share in (0.35, 1)),
        {"domain": NAME, "share": 0.6, "seed": 12, "crossover": 5, "moves": (Move("one", (7,), 1.1),)},
    ],
    ids=str,
)
def test_every_setting_is_torchs(page, live, controls, change):
    edit = replace(controls.start(), **change)
    assert load(page, to_record(edit, controls.known)) == "The edit is loaded."
    assert np.abs(pixels(page) - torchs(live, edit)).max() <= LEVELS


def test_the_controls_are_the_knobs_of_the_definition_in_its_order(page, controls):
    labels = page.run("[...document.querySelectorAll('.live-panel label')].map(l => l.textContent)")
    assert labels == [knob.label for group in controls.panel for knob in group.knobs]
    assert page.run("[...document.querySelectorAll('.live-panel :is(legend, summary)')].map(l => l.textContent)") == [group.title for group in controls.panel]


@pytest.mark.parametrize(
    ("label", "value"),
    [("seed", 9), ("truncation ψ", 0.3), ("from row", 3), *((group, 2) for group in GROUPS), *((f"row {row}", -2) for row in range(10)), *(("generator", name) for name in zoo.adapted_names())],
)
def test_every_control_moves_the_picture(page, label, value):
    before = pixels(page)
    move(page, label, value)
    assert not np.array_equal(before, pixels(page))


def test_the_second_seed_and_the_share_move_the_picture_where_they_have_a_part_in_it(page):
    for first, value, second, other in (("from row", 3, "second seed", 9), ("generator", NAME, "share", 0.3)):
        move(page, first, value)
        before = pixels(page)
        move(page, second, other)
        assert not np.array_equal(before, pixels(page))


def test_a_fine_slider_runs_only_the_last_graph_and_a_coarse_one_all(page):
    for place, ran in (("fine", [64]), ("middle", [16, 32, 64]), ("coarse", [4, 8, 16, 32, 64])):
        page.run(f"(live => {{ live.edit.offsets = {{ one: {{ ...(live.edit.offsets.one || {{}}), {place}: 1 }} }}; return live.refresh(); }})({LIVE})")
        assert page.run(f"{LIVE}.last.ran") == ran


def test_a_drag_that_takes_too_long_shows_a_smaller_picture_first_and_then_the_whole_one(page, live, controls):
    sides = page.run(f"""(async (live) => {{
        const draw = live.draw, sides = [];
        live.draw = async (dragging) => {{ const whole = await draw.call(live, dragging); sides.push(live.last.side); return whole; }};
        for (const block of live.model.blocks) block.ms = 9;  // as on a slow machine
        live.edit.seed = 9;
        try {{ await live.refresh(true); }} finally {{ live.draw = draw; for (const block of live.model.blocks) block.ms = 0; }}
        return sides;
    }})({LIVE})""")
    assert sides == [16, 64], "all sizes of 9 ms do not fit into a step"
    assert np.abs(pixels(page) - torchs(live, replace(controls.start(), seed=9))).max() <= LEVELS


def test_the_arrow_keys_move_a_slider_by_its_step(page, controls):
    page.run(f"{control('seed')}.focus()")
    before = pixels(page)
    page.key("ArrowRight")
    settle(page)
    assert page.run(f"{LIVE}.edit.seed") == controls.seed.start + 1
    assert not np.array_equal(before, pixels(page))


def test_the_tab_key_reaches_every_control_and_every_button(page):
    page.run("document.querySelector('.live details').open = true; document.querySelector('.live-buttons button').focus(); window.seen = [document.activeElement]")
    for _ in range(60):
        page.key("Tab")
        page.run("seen.push(document.activeElement)")
    missing = page.run("[...document.querySelectorAll('.live-panel :is(input:not([hidden]), select, button, summary)')].filter(e => !seen.includes(e)).length")
    assert missing == 0


def test_the_mouse_drags_a_slider(page):
    before, box = pixels(page), place(page, "coarse 0–3")
    page.drag(box["x"] + box["w"] / 2, box["x"] + 0.9 * box["w"], box["y"] + box["h"] / 2)
    assert page.run(f"{LIVE}.edit.offsets.one.coarse") > 1
    assert not np.array_equal(before, pixels(page))


@pytest.fixture
def phone(page):
    page.window(390, 844, phone=True)
    yield page
    page.window(1280, 900)


def test_a_finger_taps_and_drags_a_slider_on_a_phone(phone):
    before, box = pixels(phone), place(phone, "truncation ψ")
    y = box["y"] + box["h"] / 2
    finger(phone, [(box["x"] + 0.2 * box["w"], y)])
    tapped = pixels(phone)
    assert phone.run(f"{LIVE}.edit.psi") < 0.5 and not np.array_equal(before, tapped)
    finger(phone, [(box["x"] + (0.2 + 0.1 * k) * box["w"], y) for k in range(8)])
    assert phone.run(f"{LIVE}.edit.psi") > 0.9 and not np.array_equal(tapped, pixels(phone))


def test_a_finger_finds_targets_of_its_size_and_nothing_scrolls_sideways(phone):
    phone.run("document.querySelector('.live details').open = true")
    heights = phone.run("[...document.querySelectorAll('.live-panel :is(input:not([hidden]), select, button)')].map(e => e.getBoundingClientRect().height)")
    assert min(heights) >= 40
    assert phone.run("document.documentElement.scrollWidth") <= 390


def test_reset_brings_the_first_picture_back(page, live, controls):
    for label, value in (("seed", 9), ("coarse 0–3", 2), ("generator", NAME), ("direction", "two")):
        move(page, label, value)
    press(page, "Reset")
    assert np.abs(pixels(page) - torchs(live, controls.start())).max() <= LEVELS
    assert page.run(f"{control('direction')}.value") == "one"


def test_the_page_refuses_a_file_with_the_sentence_that_python_has(page, controls):
    from iplkit.errors import UserError

    good = to_record(replace(controls.start(), domain=NAME, moves=(Move("one", (7,), 1.1),)), controls.known)
    move_one = good["moves"][0]
    bad = [
        [1],
        good | {"kind": "cake"},
        good | {"version": 2},
        {key: value for key, value in good.items() if key != "latent"},
        good | {"color": 1},
        good | {"model": good["model"] | {"sha256": "f" * 16}},
        good | {"model": good["domain"] | {}},
        good | {"domain": good["domain"] | {"name": "moon"}},
        good | {"domain": good["domain"] | {"share": 1.5}},
        good | {"domain": None},
        good | {"latent": good["latent"] | {"psi": 7}},
        good | {"latent": good["latent"] | {"seed": "3"}},
        good | {"latent": good["latent"] | {"crossover": 2.5}},
        good | {"latent": good["latent"] | {"crossover": 11}},
        good | {"moves": {}},
        good | {"moves": [move_one | {"direction": "hat"}]},
        good | {"moves": [move_one | {"rows": [8, 12]}]},
        good | {"moves": [move_one | {"rows": [1, 1]}]},
        good | {"moves": [move_one | {"strength": 9}]},
        good | {"moves": [move_one | {"strength": None}]},
        good | {"directions": good["directions"] | {"people": 600}},
    ]
    for record in bad:
        with pytest.raises(UserError) as refusal:
            controls.read(record)
        assert load(page, record) == f"This file cannot be loaded: {refusal.value}.", record
    assert controls.read(good) and load(page, good) == "The edit is loaded."


def test_an_added_group_of_rows_and_an_added_number_show_on_the_page(page, controls):
    """The page builds what the definition lists: nothing is named twice."""
    added = json.loads(json.dumps(replace(controls, more_groups={"eyes": (2, 3)}).asdict()))
    added["panel"][0]["knobs"].append({"kind": "number", "name": "grain", "label": "grain", "part": "latent"})
    added["ranges"]["grain"] = {"low": 0, "high": 3, "step": 1, "start": 2}
    shown = page.run(f"""(live => {{
        const other = Object.create(Object.getPrototypeOf(live));
        const definition = {{ ...live.definition, ...{json.dumps(added)} }};
        Object.assign(other, {{ root: live.root.cloneNode(), model: live.model, definition, edit: {{ ...live.edit, grain: 2 }}, direction: "one", knobs: [] }});
        other.build();
        const labels = [...other.root.querySelectorAll('label')].map(l => l.textContent);
        return [labels, JSON.parse(other.saved()).latent.grain];
    }})({LIVE})""")
    assert {"eyes 2–3", "grain"} <= set(shown[0]) and shown[1] == 2


def test_every_control_has_a_name_for_readers_who_do_not_see_it(page):
    assert page.run("[...document.querySelectorAll('.live-panel :is(input:not([hidden]), select)')].every(e => e.labels.length === 1)")
    assert page.run("document.querySelector('.live canvas').getAttribute('aria-label')") == "A <portrait>."


def test_nothing_was_asked_of_another_host_and_nobody_complained(page):
    assert len(page.requests) > 10
    assert page.outside(page.address) == []
    assert page.complaints == []
    assert not any("inline.js" in url for url in page.requests), "the copy for files is not for readers over http"


def test_the_runtime_is_the_one_that_is_named():
    folder = REPOSITORY / "book" / "_static" / "live"
    for name, facts in json.loads((folder / "vendor.json").read_text())["files"].items():
        assert sha256(folder / name) == facts["sha256"], name
