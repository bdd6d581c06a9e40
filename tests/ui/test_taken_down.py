"""A screen that is being taken down is not looked at any more, in whatever order its parts go."""

from __future__ import annotations

from console.ui.screens.home import HomeScreen
from console.ui.widgets.artifact_table import ArtifactTable
from console.ui.widgets.preview import Preview
from tests.ui.demo_records import demo
from tests.ui.driving import console_on


async def test_news_that_come_while_the_table_is_gone_already_are_nobody_s() -> None:
    feeder = demo()
    async with console_on(feeder) as console:
        home: HomeScreen = await console.on(HomeScreen)
        await console.widget(ArtifactTable).remove()
        await console.widget(Preview).remove()
        await home._look_at_versions()
        await home._read_facts("nothing/is-known-of-this.pkl")
        feeder.say("store.scanned", "")
        home.refresh_frame()
        await console.pilot.pause()
        assert console.app.is_running
        assert not home.is_built
