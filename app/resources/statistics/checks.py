"""How the reads of statistics are tried out."""

from app.gateway.checks import BATCH, DAY, Check, same
from app.resources.statistics.operations import CREDITS, DAILY, GET, LIST

CHECKS = (
    Check(operation=DAILY, by=DAY, ask=same, path="/v1/statistics/daily/{}"),
    Check(operation=LIST, by=DAY, ask=same, path="/v1/statistics/campaigns?date={}"),
    Check(operation=GET, by=BATCH, ask=same, path="/v1/batches/{}/statistics"),
    Check(operation=CREDITS, by=DAY, ask=same, path="/v1/statistics/credits?date={}"),
)
