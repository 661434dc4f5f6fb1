import Detection
import Flows
import Packets
import Support

/// What clients do at one service, for hours, as the records of flows that the tables would tell: one every 10 s while
/// there is traffic, cut every 300 s.
struct EDoSTraffic {
    /// One question and its answer.
    struct Exchange {
        /// Seconds after the connection's start, and how long the answer takes.
        var at: Double
        var lasts: Double
        /// Of the answer, on the wire.
        var bytes: Double
    }

    /// 2024-01-01 00:00 UTC, a Monday.
    static let start: Int64 = 1_704_067_200_000_000_000

    var random: SeededGenerator
    let service: Subject
    /// Bytes from the service to each client, as told.
    private(set) var truth: [Address: Double] = [:]
    private var flows: [Int64: [FlowDigest]] = [:]
    private var port: UInt16 = 20_000

    init(seed: UInt64, service: Subject = Subject(Address(ipv4: 0xCB00_7105), .ipv4, port: 443)) {
        random = SeededGenerator(seed: seed)
        self.service = service
    }

    /// 0 ..< 1.
    mutating func uniform() -> Double { Double(random.next() >> 11) / 9_007_199_254_740_992 }
    mutating func gap(mean: Double) -> Double { -mean * Self.logarithm(1 - uniform()) }
    /// Log-normal: one standard deviation is a factor.
    mutating func varied(_ median: Double, factor: Double) -> Double {
        let normal = (0..<12).reduce(-6.0) { sum, _ in sum + uniform() }
        return median * Self.power(normal * Self.logarithm(factor))
    }

    private static func logarithm(_ value: Double) -> Double {
        value >= 1 ? binaryLogarithm(value) * 0.693_147_180_559_945_3 : -logarithm(1 / value)
    }
    private static func power(_ value: Double) -> Double {
        var (sum, term) = (1.0, 1.0)
        for place in 1..<60 {
            term *= value / 16 / Double(place)
            sum += term
        }
        return (0..<4).reduce(sum) { sum, _ in sum * sum }
    }

    /// One connection of a client.
    /// - Parameter hours: when it begins.
    mutating func connect(_ client: Address, at hours: Double, _ exchanges: [Exchange]) {
        port = port == 60_000 ? 20_000 : port + 1
        let begin = hours * 3_600
        let length = exchanges.map { $0.at + $0.lasts }.max() ?? 0
        var (cut, requests, told) = (0, UInt32(0), UInt32(0))
        var (up, down) = (Volume(packets: 0, bytes: 0), Volume(packets: 0, bytes: 0))
        var first = begin
        var next = 0
        let sorted = exchanges.sorted { $0.at < $1.at }
        for slice in 0...Int(length / 10) {
            let (from, to) = (Double(slice) * 10, Double(slice + 1) * 10)
            if slice / 30 != cut {
                (cut, requests, told, first) = (slice / 30, 0, 0, begin + from)
                (up, down) = (Volume(packets: 0, bytes: 0), Volume(packets: 0, bytes: 0))
            }
            var bytes = 0.0
            var new: UInt32 = 0
            while next < sorted.count, sorted[next].at + sorted[next].lasts < from { next += 1 }
            for exchange in sorted[next...] {
                if exchange.at >= to { break }
                if exchange.at >= from { new += 1 }
                let share = min(to, exchange.at + exchange.lasts) - max(from, exchange.at)
                if exchange.lasts > 0 {
                    bytes += exchange.bytes * max(0, share) / exchange.lasts
                } else if exchange.at >= from {
                    bytes += exchange.bytes
                }
            }
            guard bytes > 0 || new > 0 else { continue }
            requests += new
            let isLast = to > length
            let more = Volume(packets: UInt64(bytes / 1_400) + 1, bytes: UInt64(bytes))
            let asked = Volume(packets: more.packets / 2 + 1, bytes: (more.packets / 2 + 1) * 66 + UInt64(new) * 500)
            (up, down) = (
                Volume(packets: up.packets + asked.packets, bytes: up.bytes + asked.bytes),
                Volume(packets: down.packets + more.packets, bytes: down.bytes + more.bytes)
            )
            add(
                FlowDigest(
                    initiator: client,
                    responder: service.address,
                    initiatorPort: port,
                    responderPort: service.port,
                    family: service.family,
                    end: isLast ? .closed : slice % 30 == 29 ? .active : .interim,
                    isFirst: slice % 30 == 0,
                    first: Self.time(first),
                    last: Self.time(begin + min(to, length)),
                    forward: asked,
                    backward: more,
                    forwardTotal: up,
                    backwardTotal: down,
                    requests: requests,
                    newRequests: requests - told,
                    synchronisations: cut == 0 ? 2 : 0
                ),
                at: begin + to
            )
            told = requests
        }
    }

    /// A record as it is.
    mutating func add(_ flow: FlowDigest, at seconds: Double) {
        flows[Self.time(seconds) >> 30, default: []].append(flow)
        truth[flow.initiator, default: 0] += Double(flow.backward.bytes)
    }

    static func time(_ seconds: Double) -> Int64 { start + Int64(seconds * 1e9) }

    /// A person looks at some pages, and leaves.
    mutating func visit(_ client: Address, at hours: Double, pages: Double = 5) {
        var at = 0.0
        var exchanges: [Exchange] = []
        repeat {
            for _ in 0..<Int(1 + uniform() * 8) {
                let bytes = varied(60_000, factor: 4)
                exchanges.append(Exchange(at: at, lasts: bytes / 1_000_000, bytes: bytes))
                at += uniform()
            }
            at += gap(mean: 30)
            // Who is silent for a minute comes back with another connection.
        } while uniform() > 1 / pages && at < 1_500
        connect(client, at: hours, exchanges)
    }

    /// People come and go.
    mutating func visits(_ range: Range<Double>, perHour: Double, from network: UInt32 = 0x5000_0000) {
        var at = range.lowerBound
        while true {
            at += gap(mean: 1 / perHour)
            guard at < range.upperBound else { return }
            visit(Address(ipv4: network + UInt32(truncatingIfNeeded: random.next() >> 40)), at: at)
        }
    }

    /// Fetches the same again and again, so that it makes a rate.
    /// - Parameters:
    ///   - rate: bits a second; `object`: bytes of each answer.
    mutating func fetch(_ client: Address, _ range: Range<Double>, rate: Double, object: Double) {
        let period = object * 8 / rate
        let times = stride(from: 0, to: (range.upperBound - range.lowerBound) * 3_600, by: period)
        connect(client, at: range.lowerBound, times.map { Exchange(at: $0, lasts: 0.8 * period, bytes: object) })
    }

    /// What is seen, with a window at least every 30 s: something else is always on the wire.
    func windows(_ range: Range<Double>) -> [Observation] {
        let numbers = Self.time(range.lowerBound * 3_600) >> 30..<Self.time(range.upperBound * 3_600) >> 30
        return numbers.compactMap { number in
            flows[number] == nil && number % 27 != 0 ? nil : Observation(number: number, flows: flows[number] ?? [])
        }
    }
}
