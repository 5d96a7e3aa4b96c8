"""Screenshots of every page, light and dark, phone and desk: python -m tests.reports.screens REPORT OUT"""

import sys
from pathlib import Path

from tests.reports.chromium import launched

SIZES = {390: 844, 1440: 900}


def take(report: Path, out: Path) -> list[Path]:
    """Writes one PNG for each page, scheme and width."""
    out.mkdir(parents=True, exist_ok=True)
    taken = []
    with launched() as browser:
        for scheme in ("light", "dark"):
            for width, height in SIZES.items():
                context = browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
                )
                for page in sorted(report.glob("*.html")):
                    tab = context.new_page()
                    tab.goto(page.resolve().as_uri())
                    tab.wait_for_timeout(300)
                    taken.append(out / f"{page.stem}-{scheme}-{width}.png")
                    tab.screenshot(path=taken[-1], full_page=True)
                    tab.close()
                context.close()
    return taken


if __name__ == "__main__":
    for screenshot in take(Path(sys.argv[1]), Path(sys.argv[2])):
        print(screenshot)
