"""What a machine of EC2 costs an hour, from AWS's public price list: quickly, or not at all."""

import json
from collections.abc import Iterable
from typing import Any


def words(type: str, region: str) -> list[dict[str, str]]:
    """The filters of the price list for a plain Linux machine."""
    wanted = {
        "instanceType": type,
        "regionCode": region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    return [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]


def read(products: Iterable[str]) -> float | None:
    """The hourly price in what the list answers, in US dollars. Pure."""
    found = [
        float(dimension["pricePerUnit"]["USD"])
        for product in map(json.loads, products)
        for offer in product["terms"]["OnDemand"].values()
        for dimension in offer["priceDimensions"].values()
    ]
    # The same machine is also listed as a part of others, for nothing.
    return next((price for price in found if price > 0), None)


def hourly(session: Any, type: str, region: str) -> float | None:
    """US dollars an hour while it runs; None when the list does not say so within seconds."""
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    config = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 1})
    try:
        # The list is kept in few regions, and is the same in all of them.
        client = session.client("pricing", region_name="us-east-1", config=config)
        found = client.get_products(ServiceCode="AmazonEC2", Filters=words(type, region), MaxResults=10)
        return read(found["PriceList"])
    except (BotoCoreError, ClientError, ResponseParserError, ValueError, KeyError, TypeError, AttributeError):
        return None
