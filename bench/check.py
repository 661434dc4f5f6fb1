"""Holds the JSON lines of a bench against its thresholds. Usage: check.py THRESHOLDS LINES

Thresholds: {"measure": {"field": {"most": number, "least": number}}}. Exit status 1 when one is missed, or when a measure
or field is not there: a threshold that nothing is held against would pass for ever."""
import json
import sys

with open(sys.argv[1]) as file:
    thresholds = json.load(file)
measures = {}
with open(sys.argv[2]) as file:
    for line in file:
        if line.startswith("{"):
            measure = json.loads(line)
            # Some benches give one figure a line, named by the measure.
            measures.setdefault(measure["measure"], {}).update(measure)
missed = []
held = 0
for name, fields in thresholds.items():
    for field, bounds in fields.items():
        value = measures.get(name, {}).get(field)
        held += 1
        if value is None:
            missed.append(f"{name}.{field} was not measured")
        elif "most" in bounds and value > bounds["most"]:
            missed.append(f"{name}.{field} is {value}, at most {bounds['most']} is allowed")
        elif "least" in bounds and value < bounds["least"]:
            missed.append(f"{name}.{field} is {value}, at least {bounds['least']} is wanted")
for line in missed:
    print(f"MISSED: {line}")
print(f"{held - len(missed)} of {held} thresholds held ({sys.argv[1]})")
sys.exit(1 if missed else 0)
