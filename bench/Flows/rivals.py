"""Times tools over one capture, in turns. Usage: rivals.py WEIR PYTHON FOLDER PROCESSOR ROUNDS PLOT

FOLDER holds mix.pcap, cut.pcap (its first 100,000 packets) and suricata.yaml; see rivals.sh. Prints a table and a
line of JSON for each tool, and draws PLOT. Processor time is user and system of the process and its children, memory the
most that was resident at one time in one of them, both as the kernel accounts them.
"""
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

weir, python = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
folder, processor, rounds, plot = sys.argv[3], sys.argv[4], int(sys.argv[5]), sys.argv[6]
mix, cut = f"{folder}/mix.pcap", f"{folder}/cut.pcap"


def count(command):
    return int(subprocess.run(command, shell=True, capture_output=True, text=True).stdout.strip() or 0)


def weir_flows(text):
    return json.loads(text[text.index("{"):])["flows"]


def softflowd_flows(text):
    match = re.search(r"Flows exported: (\d+)", text)
    return int(match[1]) if match else 0


def lines(pattern):
    return lambda text: len(re.findall(pattern, text, re.M))


NFSTREAM = (
    "from nfstream import NFStreamer\n"
    "n = 0\n"
    "for f in NFStreamer(source={!r}, n_meters=1, n_dissections=0, statistical_analysis=True): n += 1\n"
    "print(n)"
)
# Its own options for a file crash; what they call works.
CIC = (
    "import warnings; warnings.simplefilter('ignore')\n"
    "from cicflowmeter.sniffer import create_sniffer\n"
    "sniffer, session = create_sniffer(input_file={!r}, input_interface=None, output_mode='csv', output={!r})\n"
    "sniffer.start(); sniffer.join()\n"
    "session._gc_stop.set(); session.flush_flows()"
)

# Name, what it does, command, whether on the cut file, flows from its output (or a shell command that counts them).
tools = [
    ("Weir", "76 features", [weir, "replay", "--scale", "0", "--json", mix], False, weir_flows),
    ("Weir, CSV", "84 columns written", [weir, "replay", "--scale", "0", "--json", "--flows", f"{folder}/weir.csv", mix], False, weir_flows),
    ("softflowd", "NetFlow 9, counters", ["softflowd", "-r", mix, "-d", "-N", "-p", f"{folder}/softflowd.pid", "-c", "none",
      "-6", "-v", "9", "-T", "vlan", "-m", "262144", "-n", "127.0.0.1:19995"], False, softflowd_flows),
    ("nfpcapd", "nfdump files, counters", ["nfpcapd", "-r", mix, "-w", f"{folder}/nfpcapd"], False,
      f"nfdump -R {folder}/nfpcapd -I | sed -n 's/^Flows: //p'"),
    ("Suricata", "flow log only", ["suricata", "-c", f"{folder}/suricata.yaml", "-r", mix, "-S", "/dev/null", "-l",
      f"{folder}/suricata", "--runmode", "single"], False, f"grep -c '\"event_type\":\"flow\"' {folder}/suricata/eve.json"),
    ("nfstream", "48 statistics", [python, "-c", NFSTREAM.format(mix)], False, lambda text: int(text.split()[-1])),
    ("tshark, conversations", "-z conv", ["tshark", "-n", "-q", "-z", "conv,tcp", "-z", "conv,udp", "-r", cut], True,
      lines(r"<->.*\d")),
    ("tshark, fields", "9 fields a packet", ["tshark", "-n", "-r", cut, "-T", "fields"] + [w for f in (
      "frame.time_epoch ip.src ip.dst tcp.srcport tcp.dstport udp.srcport udp.dstport frame.len tcp.flags").split()
      for w in ("-e", f)], True, None),
    ("cicflowmeter (Python)", "82 columns written", [python, "-c", CIC.format(cut, f"{folder}/cic.csv")], True,
      f"tail -n +2 {folder}/cic.csv | wc -l"),
]


def run(command, pinned=True):
    """Seconds of wall, seconds of processor, MiB, what it printed."""
    for name in ("nfpcapd", "suricata"):
        shutil.rmtree(f"{folder}/{name}", ignore_errors=True)
        os.mkdir(f"{folder}/{name}")
    if os.path.exists(f"{folder}/cic.csv"):
        os.remove(f"{folder}/cic.csv")
    with open(f"{folder}/output", "w+b") as output:
        start = time.monotonic()
        child = subprocess.Popen((["taskset", "-c", processor] if pinned else []) + command, stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if child.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {child.returncode}: {text[-500:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text


def packets(path):
    out = subprocess.run(["capinfos", "-T", "-r", "-c", "-M", path], capture_output=True, text=True).stdout
    return int(out.split()[-1])


totals = {False: packets(mix), True: packets(cut)}
with open(mix, "rb") as file:  # into the page cache
    while file.read(1 << 24):
        pass
results = {}
missing = []
for tool in list(tools):
    name, command = tool[0], tool[2]
    if not (shutil.which(command[0])):
        missing.append(name)
        tools.remove(tool)
for number in range(rounds):
    for name, what, command, is_cut, flows in list(tools):
        if is_cut and number > 0:
            continue
        try:
            wall, cpu, memory, text = run(command)
        except RuntimeError as error:
            print(f"rivals: {name} is left out: {error}", file=sys.stderr)
            missing.append(name)
            tools = [tool for tool in tools if tool[0] != name]
            continue
        result = results.setdefault(name, {"what": what, "cut": is_cut, "cpu": [], "memory": [], "flows": 0})
        result["cpu"].append(cpu)
        result["memory"].append(memory)
        if flows:
            result["flows"] = count(flows) if isinstance(flows, str) else flows(text)
one, two = [], []
for number in range(rounds):
    one.append(run([weir, "replay", "--scale", "0", "--json", mix], pinned=False)[0])
    two.append(run([weir, "replay", "--scale", "0", "--json", "--workers", "2", mix], pinned=False)[0])

rows = []
print(f"{'tool':<24}{'does':<24}{'CPU s':>8}{'packets/s':>12}{'MiB':>7}{'flows':>9}{'Weir is':>9}")
speed = {name: totals[r["cut"]] / statistics.median(r["cpu"]) for name, r in results.items()}
for name, result in sorted(results.items(), key=lambda item: -speed[item[0]]):
    cpu, memory = statistics.median(result["cpu"]), max(result["memory"])
    flows = result["flows"] or "-"
    ratio = speed["Weir"] / speed[name]
    mark = "*" if result["cut"] else ""
    print(f"{name + mark:<24}{result['what']:<24}{cpu:>8.2f}{speed[name]:>12,.0f}{memory:>7.0f}{flows:>9}{ratio:>8.1f}x")
    rows.append((name + mark, speed[name]))
    print(json.dumps({"bench": "Flows", "measure": "rival-" + re.sub(r"[^a-z]+", "-", name.lower()).strip("-"),
                      "cpu_seconds": round(cpu, 3), "least_cpu_seconds": round(min(result["cpu"]), 3),
                      "runs": len(result["cpu"]), "packets": totals[result["cut"]], "packets_per_second": round(speed[name]),
                      "peak_mib": round(memory, 1), "flows": result["flows"], "weir_is_times_as_fast": round(ratio, 2)}))
print("* one run over the first 100,000 packets: the whole would take minutes, and cost more a packet")
print(f"Weir, wall time: one worker {min(one):.3f} s, two {min(two):.3f} s ({min(one) / min(two):.2f} times as fast); best of {rounds}")
print(json.dumps({"bench": "Flows", "measure": "rival-workers", "one_seconds": round(min(one), 3), "two_seconds": round(min(two), 3),
                  "speedup": round(min(one) / min(two), 3)}))
for name in missing:
    print(f"not measured here: {name}")


def draw(rows, path):
    """Bars on a logarithmic axis, 1 thousand to 10 million packets a second."""
    left, right, top, step = 190, 560, 40, 26
    place = lambda value: left + (right - left) * (math.log10(value) - 3) / 4
    bottom = top + step * len(rows)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 {bottom + 62}" font-family="sans-serif" font-size="13">',
           "<title>Packets a second on one processor</title>", f'<rect width="680" height="{bottom + 62}" fill="#fff"/>',
           '<text x="10" y="22" font-size="15" fill="#111">Packets a second on one processor, logarithmic</text>']
    for power, label in enumerate(("1 k", "10 k", "100 k", "1 M", "10 M"), 3):
        x = place(10 ** power)
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top - 6}" y2="{bottom}" stroke="#ddd"/>')
        out.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle" fill="#555">{label}</text>')
    for number, (name, value) in enumerate(rows):
        y = top + step * number
        colour = "#0b6e99" if name.startswith("Weir") else "#9aa5ad"
        text = f"{value / 1e6:.2f} M" if value >= 1e5 else f"{value / 1e3:.1f} k"
        out.append(f'<text x="{left - 8}" y="{y + 15}" text-anchor="end" fill="#111">{name}</text>')
        out.append(f'<rect x="{left}" y="{y + 2}" width="{max(1, place(value) - left):.1f}" height="{step - 8}" fill="{colour}"/>')
        out.append(f'<text x="{max(left, place(value)) + 6:.1f}" y="{y + 15}" fill="#111">{text}</text>')
    caption = (f"{totals[False]:,} packets, 80,000 flows; medians of {rounds} runs, processor time.",
               "* one run over the first 100,000 packets. Made by bench/Flows/rivals.sh.")
    for number, line in enumerate(caption):
        out.append(f'<text x="10" y="{bottom + 36 + 16 * number}" font-size="12" fill="#555">{line}</text>')
    with open(path, "w") as file:
        file.write("\n".join(out + ["</svg>"]) + "\n")


draw(rows, plot)
