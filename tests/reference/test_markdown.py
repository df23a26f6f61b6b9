"""The Markdown of our own chapters, as pages show it."""

import re
from html import unescape

import pytest

from listenkey.reference.site.code import PROGRAM, colour
from listenkey.reference.site.markdown import anchor, markdown, prose


@pytest.mark.parametrize(
    "text,html",
    [
        ("# A `b` c", '<h1 id="a-b-c">A <code>b</code> c</h1>'),
        ("one\ntwo\n\nthree", "<p>one two</p>\n<p>three</p>"),
        ("- one\n  more\n- two", "<ul><li>one more</li><li>two</li></ul>"),
        ("1. one\n2. two", "<ol><li>one</li><li>two</li></ol>"),
        ("**a** and *b* and `*c*`", "<p><strong>a</strong> and <em>b</em> and <code>*c*</code></p>"),
        ("[a `b`](c.md#d)", '<p><a href="c.md#d">a <code>b</code></a></p>'),
        ("<!-- made -->\ntext", "<p>text</p>"),
        ("a < b & `<c>`", "<p>a &lt; b &amp; <code>&lt;c&gt;</code></p>"),
        ("text\n```\n<x>\n```", '<p>text</p>\n<pre class="code"><code>&lt;x&gt;</code></pre>'),
    ],
)
def test_each_form_that_the_chapters_use(text, html):
    """What is written is what is read, and nothing in it becomes markup by accident."""
    assert markdown(text) == html


def test_tables_keep_their_bars_and_can_be_searched_by_code():
    """A `|` inside a cell stays in it; a row that begins with code can be found by that."""
    html = markdown("| a | |\n|---|---|\n| `x`, `y` | one \\| two |")
    assert '<th scope="col">a</th><td></td>' in html
    assert (
        '<tr data-find="x, y"><td data-label="a"><code>x</code>, <code>y</code></td><td>one | two</td></tr>'
        in html
    )


def test_a_link_that_leads_nowhere_on_the_site_is_words():
    """Chapters of the repository link to pages that the site does not have."""
    assert markdown("[a](../b.md)", lambda target: None) == "<p>a</p>"


@pytest.mark.parametrize("text", ['<script>alert("1")</script>', '[x](javascript:"><script>)', '`"><b>`'])
def test_no_text_becomes_markup(text):
    """A dialect file of somebody's own cannot put scripts into a page."""
    html = str(prose(text))
    assert "<script" not in html
    assert "<b>" not in html


def test_anchors_are_those_of_the_forges():
    """A link that works in the repository works on the site."""
    assert anchor("`dialect.NAME.require_signature`") == "dialectnamerequire_signature"
    assert anchor("Listen keys and connections") == "listen-keys-and-connections"


def test_programs_keep_every_character_whatever_their_language():
    """What is copied is what was written; a language that Pygments does not know is coloured a little."""
    text = '; "said" \n\tIf x < 1 \' ü\n    Debug "a&b"\n'
    for language in (PROGRAM, "python", "text", "no such language"):
        assert unescape(re.sub("<[^>]+>", "", colour(text, language))) == text.rstrip("\n")
    shown = colour(text, PROGRAM)
    assert '<span class="c">; "said" </span>' in shown
    assert '<span class="k">If</span>' in shown
    assert '<span class="s">"a&amp;b"</span>' in shown
