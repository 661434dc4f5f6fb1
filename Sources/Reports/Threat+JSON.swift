import Detection
import Packets

extension Threat {
    /// One JSON object; the same fields in the report, in the REST API, in the Redis stream and in files.
    public func json() -> [UInt8] {
        var json = JSONWriter()
        write(to: &json)
        return json.bytes
    }

    public func write(to json: inout JSONWriter) {
        json.object { json in
            json.field("schema", 1)
            json.field("id", id)
            json.field("type", type)
            json.field("threat_type", type)
            json.field("class", threatClass)
            json.field("state", state.rawValue)
            json.field("sequence", sequence)
            json.field("severity", severity.name)
            json.field("confidence", confidence)
            json.field("src_ip", source)
            json.field("dest_ip", destination)
            json.field("timestamp", time, digits: .milliseconds)
            json.field("began", began, digits: .milliseconds)
            json.field("opened", opened, digits: .milliseconds)
            json.field("last", last, digits: .milliseconds)
            if let closed { json.field("closed", closed, digits: .milliseconds) }
            json.object("subject") { json in
                json.field("address", subject.address.text(as: subject.family))
                json.field("prefix_length", subject.prefixLength)
                if subject.port != 0 { json.field("port", subject.port) }
            }
            json.field("ratio", measured: ratio)
            json.field("findings", findings)
            json.field("folded", folded)
            json.object("sources") { json in
                json.field("distinct", distinctSources)
                json.field("counted_as", countedAs, limit: 64)
                json.array("top") { json in
                    for source in topSources {
                        json.object { json in
                            json.field("address", source.address)
                            json.field("count", measured: source.count)
                        }
                    }
                }
            }
            json.field("summary", summary, limit: 512)
            json.field("advice", advice, limit: 512)
            if let process {
                json.object("process") { json in
                    json.field("program", process.program, limit: 64)
                    if let pid = process.pid { json.field("pid", pid) }
                    if let unit = process.unit { json.field("unit", unit, limit: 96) }
                }
            }
            if let evidence {
                json.object("evidence") { json in evidence.write(to: &json) }
            } else {
                json.field("evidence_url", "/api/threats/\(id)")
            }
        }
    }
}

extension Threat.Evidence {
    fileprivate func write(to json: inout JSONWriter) {
        json.array("measures") { json in
            for measure in measures {
                json.object { json in
                    json.field("name", measure.name, limit: 64)
                    json.field("value", measured: measure.value)
                    json.field("latest", measured: measure.latest)
                    if let level = measure.level { json.field("level", measured: level) }
                    if let baseline = measure.baseline { json.field("baseline", measured: baseline) }
                    json.field("unit", measure.unit, limit: 32)
                }
            }
        }
        json.array("ports") { json in
            for port in ports {
                json.object { json in
                    json.field("port", port.port)
                    json.field("count", measured: port.count)
                }
            }
        }
        if let cost {
            json.object("cost") { json in
                json.field("total", measured: cost.total)
                json.field("per_hour", measured: cost.perHour)
                json.field("unit", cost.unit, limit: 32)
            }
        }
        if let sampling {
            json.object("sampling") { json in
                json.field("offered", sampling.offered)
                json.field("kept", sampling.kept)
            }
        }
        if let packets {
            json.array("packets") { json in
                for packet in packets { packet.write(to: &json) }
            }
        }
    }
}

extension JSONWriter {
    /// A number to six digits, and to whole ones above that: more were not measured.
    fileprivate mutating func field(_ name: String, measured value: Double) {
        field(name, value.measured)
    }
}

extension Double {
    var measured: Double {
        guard isFinite, self != 0 else { return 0 }
        var scale = 1.0
        while magnitude * scale < 100_000, scale < 1e15 { scale *= 10 }
        return (self * scale).rounded() / scale
    }
}
