"""
What a row is. All three figures are {"min":, "median":, "max":} over the runs; a row without a reference carries
`ours` alone.
"""
import statistics


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def alone(name, unit, values):
    return {"name": name, "unit": unit, "ours": spread(values)}


def paired(name, unit, pairs):
    """Of pairs (ours, reference): the ratio is taken pair by pair."""
    return {"name": name, "unit": unit, "ours": spread([a for a, _ in pairs]), "reference": spread([b for _, b in pairs]),
            "ratio": spread([a / b for a, b in pairs])}


def in_turn(pairs, ours, reference):
    """So many pairs of runs, (what ours() gave, what reference() gave); each second pair begins with the reference."""
    result = []
    for i in range(pairs):
        if i % 2 == 0:
            a = ours()
            b = reference()
        else:
            b = reference()
            a = ours()
        result.append((a, b))
    return result


def complete(row):
    """Of a row whose figures are plain numbers."""
    return {key: value if key in ("name", "unit") or isinstance(value, dict) else spread([value])
            for key, value in row.items()}


def number(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.4f}"


def heading():
    return f"{'':<40} {'ours':>10} {'reference':>10} {'ratio':>6}  (least to greatest)"


def line(row):
    ours, reference, ratio = row["ours"], row.get("reference"), row.get("ratio")
    many = ratio or (ours if ours["min"] < ours["max"] else None)
    return (f"{row['name']:<40} {number(ours['median']):>10} {number(reference['median']) if reference else '':>10} "
            f"{number(ratio['median']) if ratio else '':>6}  "
            + f"{'(' + number(many['min']) + ' to ' + number(many['max']) + ')' if many else '':<22}  {row['unit']}")
