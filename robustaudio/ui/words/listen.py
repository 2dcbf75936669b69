"""Words of the tab Listen."""

DEMO = "Demonstration: store nothing on disk"
ABOUT = """
Ask people, blind: can they hear the change? They need the link and
headphones, no account; nothing personal is stored. Open your own link first to try it.
"""
OPENED = """
<div class='ra-listen'>
  <p><strong>The test is open.</strong>
  <a href='{listeners}' target='_blank'>Take it yourself</a> ·
  <a href='{teacher}' target='_blank'>the teacher's page</a>: link, QR code, results as they come.
  <span class='ra-note'>Whoever has the teacher's address sees the results and may end the test.
  </span></p>
  <iframe src='{teacher}' title="The teacher's page" loading='lazy'></iframe>
</div>
"""

KEPT = (
    "This browser keeps the teacher's address until the test is over. Copy it before you open "
    "another one."
)
NOT_KEPT = (
    "<strong>This browser keeps nothing here</strong>, as in a private window, or in a page that "
    "stands inside another site: after a reload the teacher's address is lost. Copy it now:"
)
