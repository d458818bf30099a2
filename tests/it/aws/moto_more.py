"""moto's server with the few Cost Explorer calls that the tests need and moto does not have.

Their answers come from the JSON file named by FINOPS_MOTO_DATA, read at each call.
"""
import json
import os

import moto.server
from moto.ce.responses import CostExplorerResponse


def data(name, otherwise):
    path = os.environ.get("FINOPS_MOTO_DATA")
    if path and os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return json.load(file).get(name, otherwise)
    return otherwise


def main():
    moto.server.main()


if __name__ == "__main__":
    main()
