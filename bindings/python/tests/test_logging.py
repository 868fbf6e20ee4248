"""Records of the package in the module `logging`."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import pytest

from clipia_queue import AsyncClipia, Clipia
from peer import ID, KEY, Peer, Reply, Request, example, running

LOGGER = "clipia_queue"


def refused_once(peer: Peer) -> None:
    """Makes the first call fail with a transient error."""

    def respond(request: Request) -> Reply:
        if len(peer.seen) == 1:
            return Reply(example("ErrorEnvelope.service_unavailable"), 503)
        return running(request)

    peer.respond = respond


def test_each_call_is_logged_at_debug(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, LOGGER)
    Clipia(KEY, base_url=peer.url).status(ID)
    (record,) = [record for record in caplog.records if "operation=status" in record.getMessage()]
    assert (record.name, record.levelno, record.levelname) == (LOGGER, logging.DEBUG, "DEBUG")
    assert "http_status=200" in record.getMessage()
    assert ID in record.getMessage()


def test_retries_are_logged_at_info(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    refused_once(peer)
    caplog.set_level(logging.INFO, LOGGER)
    Clipia(KEY, base_url=peer.url).status(ID)
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert record.getMessage().startswith("trying again")


def test_a_change_of_the_level_takes_effect_with_the_next_call(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    clipia = Clipia(KEY, base_url=peer.url)
    for level, logged in [(logging.DEBUG, True), (logging.ERROR, False), (logging.DEBUG, True)]:
        caplog.set_level(level, LOGGER)
        caplog.clear()
        clipia.status(ID)
        assert bool(caplog.records) == logged
    logging.disable(logging.CRITICAL)
    try:
        caplog.clear()
        clipia.status(ID)
        assert not caplog.records
    finally:
        logging.disable(logging.NOTSET)


async def test_records_arrive_while_asyncio_still_waits(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, LOGGER)
    logged, loop = asyncio.Event(), asyncio.get_running_loop()

    class Telling(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            loop.call_soon_threadsafe(logged.set)

    handler = Telling()
    logging.getLogger(LOGGER).addHandler(handler)
    wait = asyncio.create_task(AsyncClipia(KEY, base_url=peer.url).generation(ID).wait())
    try:
        await asyncio.wait_for(logged.wait(), 10)
        assert not wait.done()
    finally:
        wait.cancel()
        logging.getLogger(LOGGER).removeHandler(handler)


def test_neither_key_nor_input_is_logged(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    refused_once(peer)
    caplog.set_level(1, LOGGER)
    clipia = Clipia(KEY, base_url=peer.url)
    clipia.submit("nano-banana-2", {"prompt": "a fox that nobody may know of"})
    assert caplog.records
    assert KEY not in caplog.text
    assert "nobody may know of" not in caplog.text
    assert KEY not in repr(clipia) + repr(AsyncClipia(KEY, base_url=peer.url))


def test_a_program_without_logging_gets_no_output(peer: Peer) -> None:
    refused_once(peer)
    program = f"""
import warnings
warnings.simplefilter("ignore")
from clipia_queue import Clipia
Clipia({KEY!r}, base_url={peer.url!r}).status({ID!r})
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_handler_may_use_the_client(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    clipia = Clipia(KEY, base_url=peer.url)

    class Asking(logging.Handler):
        asked = 0

        def emit(self, record: logging.LogRecord) -> None:
            if self.asked < 3:
                self.asked += 1
                clipia.status(ID)

    handler = Asking()
    logger = logging.getLogger(LOGGER)
    logger.addHandler(handler)
    try:
        caplog.set_level(logging.DEBUG, LOGGER)
        clipia.status(ID)
    finally:
        logger.removeHandler(handler)
    assert handler.asked == 3
