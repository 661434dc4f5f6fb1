/// What the existing clients need of a published document, checked by a JSON and time parser that is not ours: Python's.
public enum ClientRules {
    public static let python = "/usr/bin/python3"

    public static var isAvailable: Bool { ChildProcess.exists(python) }

    /// The rules that a document breaks, a line each; empty when it keeps all.
    public static func violations(of document: [UInt8], points: Int = 30, isConnected: Bool = true) -> [String] {
        let outcome = ChildProcess.run([python, "-c", script, String(points), String(isConnected)], input: document)
        let lines = outcome.text.split(separator: "\n").map(String.init)
        return outcome.status == 0 || !lines.isEmpty ? lines : ["python3 ended with status \(outcome.status)"]
    }

    /// Whether Python reads it as JSON without NaN, without a key twice in one object, and as UTF-8; else its complaint.
    public static func parseError(_ json: [UInt8]) -> String? {
        let program = strictReader + "\nread(sys.stdin.buffer.read())"
        let outcome = ChildProcess.run([python, "-c", program], input: json)
        return outcome.status == 0 ? nil : outcome.text
    }

    private static let strictReader = #"""
        import json, sys, re
        from datetime import datetime, timezone

        class Number(float):
            pass

        def number(text):
            value = Number(text)
            value.text = text
            return value

        def once(pairs):
            keys = [key for key, _ in pairs]
            if len(keys) != len(set(keys)):
                raise ValueError("a key twice: %r" % keys)
            return dict(pairs)

        def refuse(text):
            raise ValueError("not a JSON number: " + text)

        def read(data):
            return json.loads(data.decode("utf-8", "strict"), parse_float=number, parse_constant=refuse,
                              object_pairs_hook=once)
        """#

    private static let script =
        strictReader + #"""

            data = sys.stdin.buffer.read()
            points, connected = int(sys.argv[1]), sys.argv[2] == "true"

            def check(holds, what):
                if not holds:
                    print(what)

            def is_number(value):
                return isinstance(value, (int, float)) and not isinstance(value, bool)

            def check_number(value, places, what):
                if not is_number(value):
                    return print(what + " is not a number: %r" % (value,))
                check(value >= 0, what + " is negative")
                if isinstance(value, Number):
                    digits = re.fullmatch(r"-?(0|[1-9][0-9]*)\.([0-9]+)", value.text)
                    check(digits, what + " is not a plain decimal: " + value.text)
                    if digits:
                        check(len(digits[2]) <= places, what + " has too many decimals: " + value.text)
                        check(not digits[2].endswith("0"), what + " is not the shortest decimal: " + value.text)

            def check_count(value, what):
                check(isinstance(value, int) and not isinstance(value, bool) and value >= 0, what + " is not a count")

            def moment(text, what):
                if not isinstance(text, str) or not re.fullmatch(
                        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?Z", text):
                    print(what + " is not RFC 3339 UTC with 0, 3 or 6 digits: %r" % (text,))
                    return None
                return datetime.fromisoformat(text.replace("Z", "+00:00"))

            check(len(data) <= 65536, "%d bytes" % len(data))
            try:
                report = read(data)
            except Exception as error:
                print("not JSON: %s" % error)
                sys.exit(0)
            check(list(report)[:5] == ["networkSpeeds", "systemMetrics", "openPorts", "isConnected", "lastUpdate"],
                  "order of fields: %s" % list(report)[:5])

            speeds = report.get("networkSpeeds")
            check(isinstance(speeds, list), "networkSpeeds is not an array")
            last = None
            check(len(speeds or []) <= points, "more than %d points" % points)
            for point in speeds or []:
                check(list(point) == ["timestamp", "download", "upload"], "point: %s" % list(point))
                time = moment(point.get("timestamp"), "point")
                check(last is None or time is None or time > last, "points are not oldest first")
                last = time or last
                check_number(point.get("download"), 2, "download")
                check_number(point.get("upload"), 2, "upload")

            shape = {"cpu": {"usage": 1, "cores": 0, "processes": 0},
                     "memory": {"used": 1, "total": 1, "available": 1},
                     "disk": {"used": 1, "total": 1, "readSpeed": 1, "writeSpeed": 1}}
            metrics = report.get("systemMetrics", {})
            check(list(metrics) == list(shape), "systemMetrics: %s" % list(metrics))
            for name, fields in shape.items():
                part = metrics.get(name, {})
                check(list(part) == list(fields), "%s: %s" % (name, list(part)))
                for field, places in fields.items():
                    check_number(part.get(field), places, name + "." + field)
            check(metrics.get("cpu", {}).get("usage", 0) <= 100, "CPU above 100 percent")
            check(isinstance(metrics.get("cpu", {}).get("cores"), int), "cores is not an integer")
            check(isinstance(metrics.get("cpu", {}).get("processes"), int), "processes is not an integer")

            for name, protocol in (("openPorts", "TCP"), ("udpPorts", "UDP")):
                ports = report.get(name)
                check(isinstance(ports, list), name + " is not an array")
                numbers = [port.get("port") for port in ports or []]
                check(numbers == sorted(set(numbers)), name + " is not sorted, or has a port twice")
                for port in ports or []:
                    check(list(port)[:6] == ["port", "protocol", "service", "program", "status", "risk"],
                          "port: %s" % list(port)[:6])
                    check(isinstance(port["port"], int) and 0 < port["port"] < 65536, "port number %r" % port["port"])
                    check(port["protocol"] == protocol, "protocol %r" % port["protocol"])
                    check(isinstance(port["service"], str) and port["service"], "service %r" % port["service"])
                    check(isinstance(port["program"], str), "program %r" % port["program"])
                    check(port["status"] in ("open", "closed", "filtered"), "status %r" % port["status"])
                    check(port["risk"] in ("low", "medium", "high"), "risk %r" % port["risk"])

            check(report.get("isConnected") is connected, "isConnected is %r" % report.get("isConnected"))
            moment(report.get("lastUpdate"), "lastUpdate")
            check(report.get("schema") == 1, "schema is %r" % report.get("schema"))
            check(isinstance(report.get("threats"), list), "threats is not an array")
            check(isinstance(report.get("interfaces"), list), "interfaces is not an array")
            for interface in report.get("interfaces") or []:
                check(interface.get("source") in ("tcx", "tc", "af_packet", "proc"), "source %r" % interface.get("source"))
                for direction in ("rx", "tx"):
                    for field in ("packets", "bytes"):
                        check_count(interface.get(direction, {}).get(field), direction + "." + field)
            for field in ("offered", "skipped", "kept", "dropped", "read", "decoded", "malformed", "shed", "residue"):
                check_count(report.get("ledger", {}).get(field), "ledger." + field)
            """#
}
