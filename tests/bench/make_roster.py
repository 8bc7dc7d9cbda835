#!/usr/bin/env python3
"""Writes a roster of N people who start within the year after 2027-02-01 (default 200,000)."""
import datetime
import random
import sys

ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "Europe/London",
         "America/Chicago", "Asia/Tokyo", "America/Sao_Paulo", "Africa/Cairo", "Australia/Sydney"]


def main() -> None:
    path, n = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200_000
    rng = random.Random(7)
    first = datetime.date(2027, 2, 1)
    with open(path, "w", encoding="utf-8", newline="") as out:
        out.write("WorkerID,UserPrincipalName,FirstName,LastName,HireDate,TimeZone,ManagerID,Language,WorkerStatus\r\n")
        for i in range(n):
            day = first + datetime.timedelta(days=rng.randrange(365))
            out.write(f"{100000 + i},worker{i}@contoso.example,Given{i},\"Family, {i}\",{day},"
                      f"{ZONES[rng.randrange(10)]},{5000 + i % 900},en-GB,Active\r\n")


main()
