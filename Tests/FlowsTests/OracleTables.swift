import Glibc
import Packets
import Support

@testable import Flows

/// What other tools printed for the shared captures.
struct Oracle: Sendable {
    /// Below the data directory.
    let file: String
    let tool: String
    /// Of `pcap/...`.
    let capture: String

    /// Every oracle that the list names, in the order of captures.
    static let all: [Oracle] = rows(of: "ORACLES.tsv").compactMap { row in
        guard let file = row["oracle_file"], let tool = row["tool"], let capture = row["pcap"] else { return nil }
        return Oracle(file: file, tool: tool, capture: capture)
    }.sorted { $0.capture < $1.capture }

    static func of(_ tool: String) -> [Oracle] { all.filter { $0.tool == tool } }

    var text: String { Oracle.text(of: file) }

    /// A file below the data directory.
    static func text(of name: String) -> String { SharedCapture.directory.map { text(at: $0 + "/" + name) } ?? "" }

    /// Empty where the file is absent.
    static func text(at path: String) -> String {
        guard let file = unsafe fopen(path, "r") else { return "" }
        defer { unsafe fclose(file) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe fread(&chunk, 1, chunk.count, file)
            if count == 0 { break }
            text += chunk.prefix(count)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// A table with a line of names.
    static func rows(of name: String, separator: Character = "\t") -> [[String: String]] {
        table(text(of: name).split(whereSeparator: \.isNewline), separator: separator)
    }

    static func table(_ lines: [Substring], separator: Character) -> [[String: String]] {
        let lines = lines.map { $0.split(separator: separator, omittingEmptySubsequences: false).map(String.init) }
        guard let names = lines.first else { return [] }
        return lines.dropFirst().filter { $0.count == names.count }.map { fields in
            Dictionary(zip(names, fields)) { first, _ in first }
        }
    }
}

/// A flow as tools without features tell of it: its two ends in order, and what each sent.
struct PlainFlow: Hashable, Comparable {
    let protocolNumber: Int
    let low: String
    let high: String
    let packetsFromLow: UInt64
    let packetsFromHigh: UInt64

    init(protocolNumber: Int, from: String, to: String, packets: UInt64, packetsBack: UInt64) {
        self.protocolNumber = protocolNumber
        let (from, to) = (Self.normal(from, protocolNumber), Self.normal(to, protocolNumber))
        let isOrdered = from <= to
        low = isOrdered ? from : to
        high = isOrdered ? to : from
        packetsFromLow = isOrdered ? packets : packetsBack
        packetsFromHigh = isOrdered ? packetsBack : packets
    }

    init(_ record: FlowRecord) {
        let family = record.key.family
        self.init(
            protocolNumber: Int(record.key.protocolNumber),
            from: "\(record.initiator.text(as: family)) \(record.initiatorPort)",
            to: "\(record.responder.text(as: family)) \(record.responderPort)",
            packets: record.forward.packets,
            packetsBack: record.backward.packets
        )
    }

    /// nDPI writes `::` for one zero too, and has no ports of SCTP.
    private static func normal(_ end: String, _ protocolNumber: Int) -> String {
        let parts = end.split(separator: " ")
        var address = in6_addr()
        guard parts.count == 2 else { return end }
        let port = protocolNumber == 6 || protocolNumber == 17 ? parts[1] : "0"
        guard parts[0].contains(":"), unsafe inet_pton(AF_INET6, String(parts[0]), &address) == 1 else {
            return "\(parts[0]) \(port)"
        }
        let bytes = unsafe withUnsafeBytes(of: address) { unsafe Array($0) }
        return bytes.map { String($0, radix: 16) }.joined(separator: ":") + " \(port)"
    }

    var ends: String { "\(protocolNumber) \(low) \(high)" }

    private var order: String { "\(protocolNumber) \(low) \(high) \(packetsFromLow) \(packetsFromHigh)" }

    static func < (left: PlainFlow, right: PlainFlow) -> Bool { left.order < right.order }

    /// The flows of what `ndpiReader` printed.
    static func ofNDPI(_ text: String) -> [PlainFlow] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            // number TAB protocol end arrow end [..]...[n pkts/n bytes arrow n pkts/n bytes]
            let parts = line.split(separator: "\t")
            guard parts.count == 2, Int(parts[0]) != nil, line.first == "\t", line.contains(" pkts/") else {
                return nil
            }
            let words = parts[1].split(separator: " ")
            guard words.count > 4, words[2] == "<->" || words[2] == "->", let number = numberOfNDPI(words[0]),
                let count = words.firstIndex(where: { $0.hasPrefix("pkts/") }), words.count > count + 3
            else { return nil }
            let packets = words[count - 1].split(separator: "[").last.flatMap { UInt64($0) }
            guard let packets, let back = UInt64(words[count + 3]) ?? UInt64(words[count + 2]) else { return nil }
            return PlainFlow(
                protocolNumber: number,
                from: endOfNDPI(words[1]),
                to: endOfNDPI(words[3].prefix { $0 != "[" || words[3].first == "[" }),
                packets: packets,
                packetsBack: back
            )
        }.sorted()
    }

    private static func numberOfNDPI(_ name: Substring) -> Int? {
        let numbers = [
            "TCP": 6, "UDP": 17, "ICMP": 1, "ICMPV6": 58, "IGMP": 2, "SCTP": 132, "GRE": 47, "ESP": 50, "AH": 51,
            "OSPF": 89, "PIM": 103, "VRRP": 112, "IPIP": 4,
        ]
        return numbers[String(name)] ?? Int(name)
    }

    /// `address:port` or `[address]:port`.
    private static func endOfNDPI(_ text: Substring) -> String {
        guard let colon = text.lastIndex(of: ":") else { return String(text) }
        let address = text[..<colon].filter { $0 != "[" && $0 != "]" }
        return "\(address) \(text[text.index(after: colon)...])"
    }
}

/// Both directions of the 5-tuples of a capture's outer IP headers, found without any of what is tested.
struct PlainCount {
    private(set) var packets: [String: Int] = [:]

    init(_ frames: [CapturedFrame]) {
        for frame in frames {
            guard let tuple = Self.tuple(frame) else { continue }
            packets[tuple, default: 0] += 1
        }
    }

    private static func tuple(_ frame: CapturedFrame) -> String? {
        let bytes = frame.bytes
        func half(_ at: Int) -> Int { at + 1 < bytes.count ? Int(bytes[at]) << 8 | Int(bytes[at + 1]) : 0 }
        var at: Int
        switch frame.link {
        case .ethernet:
            at = 12
            while [0x8100, 0x88A8, 0x9100].contains(half(at)) { at += 4 }
            if half(at) == 0x8864 { at += 6 + 2 }
            guard [0x0800, 0x86DD, 0x0021, 0x0057].contains(half(at)) else { return nil }
            at += 2
        case .rawIP: at = 0
        case .loopback: at = 4
        case .linuxCooked: at = 16
        case .linuxCooked2: at = 20
        case .ppp: at = half(0) == 0xFF03 || half(0) == 0x0F00 ? 4 : 2
        default: return nil
        }
        guard at < bytes.count else { return nil }
        switch bytes[at] >> 4 {
        case 4 where at + 20 <= bytes.count:
            let number = Int(bytes[at + 9])
            let isLater = half(at + 6) & 0x1FFF != 0
            let next = at + Int(bytes[at] & 15) * 4
            return tuple(number, bytes[at + 12..<at + 16], bytes[at + 16..<at + 20], isLater ? nil : next, bytes)
        case 6 where at + 40 <= bytes.count:
            var (number, next, isLater) = (Int(bytes[at + 6]), at + 40, false)
            while [0, 43, 44, 51, 60, 135].contains(number), next + 8 <= bytes.count {
                if number == 44, half(next + 2) >= 8 { isLater = true }
                let units = Int(bytes[next + 1])
                let size = number == 44 ? 8 : number == 51 ? 4 * units + 8 : 8 * units + 8
                number = Int(bytes[next])
                next += size
                if isLater { break }
            }
            return tuple(number, bytes[at + 8..<at + 24], bytes[at + 24..<at + 40], isLater ? nil : next, bytes)
        default: return nil
        }
    }

    private static func tuple(
        _ number: Int,
        _ source: ArraySlice<UInt8>,
        _ destination: ArraySlice<UInt8>,
        _ ports: Int?,
        _ bytes: [UInt8]
    ) -> String {
        var ends = [Array(source), Array(destination)]
        if [6, 17, 132].contains(number), let at = ports, at + 4 <= bytes.count {
            ends[0] += bytes[at..<at + 2]
            ends[1] += bytes[at + 2..<at + 4]
        }
        let low = ends[0].lexicographicallyPrecedes(ends[1]) ? 0 : 1
        return "\(number) \(ends[low]) \(ends[1 - low])"
    }
}
