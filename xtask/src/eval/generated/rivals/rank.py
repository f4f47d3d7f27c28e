"""Ranks the columns of tables of metrics with the methods of fse-baro and RCAEval.

rank.py CASES.json prints one line of JSON per case, method and onset:
{"case": NAME, "method": NAME, "onset": NAME, "ranks": [column, ...], "failed": TEXT or null}

CASES.json is [{"case": NAME, "table": FILE.csv, "onsets": {NAME: Unix time in s or null}}, ...]. A table has the column
`time` and columns `<entity>_<metric>`. Without an onset, and where a method finds none, `ranks` is empty.
"""

import json
import signal
import sys
import warnings

import pandas
from baro.anomaly_detection import bocpd
from baro.root_cause_analysis import robust_scorer
from RCAEval.e2e import nsigma
from RCAEval.e2e.baro import baro

# Seconds that a method may take for a case.
PATIENCE = 60
# Ranked columns that are printed.
TOP = 5
# The onset that a method finds itself.
OWN = "own"


def own_change_point(data, _onset):
    """BARO as its README runs it."""
    # It also returns the end of the table, where nothing changes any more.
    changes = [change for change in bocpd(data) if 0 < change < len(data)]
    return robust_scorer(data, anomalies=changes)["ranks"] if changes else []


def of_rcaeval(method):
    # With a name of a data set the columns `time` and those that never change are left out, as in its own runs.
    return lambda data, onset: method(data, onset, dataset="netwhy")["ranks"]


# Each with the onsets that it takes. `None`: all of the case.
METHODS = {
    "BARO": (own_change_point, [OWN]),
    "RCAEval BARO": (of_rcaeval(baro), None),
    "RCAEval N-Sigma": (of_rcaeval(nsigma), None),
}


def too_long(_signal, _frame):
    raise TimeoutError(f"no answer within {PATIENCE} s")


def ranked(method, data, onset):
    signal.alarm(PATIENCE)
    try:
        return [str(column) for column in method(data.copy(), onset)[:TOP]], None
    except Exception as error:
        return [], f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)


def main(file):
    warnings.filterwarnings("ignore")
    signal.signal(signal.SIGALRM, too_long)
    with open(file, encoding="utf-8") as cases:
        cases = json.load(cases)
    # Methods print too.
    out, sys.stdout = sys.stdout, sys.stderr
    for case in cases:
        # As RCAEval reads its own tables.
        data = pandas.read_csv(case["table"]).ffill().fillna(0)
        for name, (method, onsets) in METHODS.items():
            for onset in onsets or case["onsets"]:
                at = case["onsets"].get(onset)
                ranks, failed = ([], None) if at is None and onset != OWN else ranked(method, data, at)
                answer = {"case": case["case"], "method": name, "onset": onset, "ranks": ranks, "failed": failed}
                print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
