import Packets

/// Why bytes are not baselines.
public enum BaselineError: Error, Equatable {
    /// They do not begin as baselines do.
    case notBaselines
    /// Written by a version that this one does not know.
    case version(UInt16)
    /// They end too early, or go on.
    case length
    /// The checksum does not fit: they were changed.
    case checksum
    /// A value that cannot be.
    case value
}

/// Little-endian: `WEIRBASE`, version (2 bytes), number of services (4); each with address (16), family, port (2), last hour
/// (8), a bit for each hour of the week (21), and for each bit the number of weeks (1) and their five numbers (2
/// each); last the FNV-1a hash of all before (8). Services stand in order: equal baselines have equal bytes.
extension Baselines {
    private static let magic = Array("WEIRBASE".utf8)
    private static let version: UInt16 = 1

    public func encode() -> [UInt8] {
        var bytes = Self.magic
        bytes.put(Self.version)
        bytes.put(UInt32(services.count))
        for (service, baseline) in services.sorted(by: { $0.key < $1.key }) {
            bytes.put(service.address.high)
            bytes.put(service.address.low)
            bytes.put(service.family.rawValue)
            bytes.put(service.port)
            bytes.put(baseline.latest)
            for start in stride(from: 0, to: Baseline.slots, by: 8) {
                bytes.put((0..<8).reduce(UInt8(0)) { $0 | (baseline.counts[start + $1] > 0 ? 1 << UInt8($1) : 0) })
            }
            for slot in 0..<Baseline.slots where baseline.counts[slot] > 0 {
                bytes.put(baseline.counts[slot])
                for hour in baseline.hours(in: slot) {
                    for number in hour.numbers { bytes.put(number) }
                }
            }
        }
        bytes.put(bytes[...].hash)
        return bytes
    }

    /// - Parameter capacity: as of ``init(capacity:)``; what is above is left out.
    public init(decoding bytes: [UInt8], capacity: Int = 512) throws(BaselineError) {
        self.init(capacity: capacity)
        var reader = Reader(rest: bytes[...])
        for byte in Self.magic where try reader.take(UInt8.self) != byte { throw .notBaselines }
        let version = try reader.take(UInt16.self)
        guard version == Self.version else { throw .version(version) }
        var check = Reader(rest: bytes.suffix(8))
        guard reader.rest.count >= 8 else { throw .length }
        guard try check.take(UInt64.self) == bytes.dropLast(8).hash else { throw .checksum }
        reader.rest.removeLast(8)
        for _ in 0..<(try reader.take(UInt32.self)) {
            let address = Address(high: try reader.take(UInt64.self), low: try reader.take(UInt64.self))
            guard let family = Family(rawValue: try reader.take(UInt8.self)), family != .other else { throw .value }
            let service = Subject(address, family, port: try reader.take(UInt16.self))
            restore(try reader.takeBaseline(), of: service)
        }
        guard reader.rest.isEmpty else { throw .length }
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func take<Value: FixedWidthInteger>(_: Value.Type) throws(BaselineError) -> Value {
            let size = Value.bitWidth / 8
            guard rest.count >= size else { throw .length }
            var value: Value = 0
            for byte in rest.prefix(size).reversed() { value = value << 8 | Value(truncatingIfNeeded: byte) }
            rest.removeFirst(size)
            return value
        }

        mutating func takeBaseline() throws(BaselineError) -> Baseline {
            var baseline = Baseline()
            let latest = try take(Int64.self)
            var present: [Int] = []
            for start in stride(from: 0, to: Baseline.slots, by: 8) {
                let byte = try take(UInt8.self)
                present += (0..<8).filter { byte >> UInt8($0) & 1 == 1 }.map { start + $0 }
            }
            for slot in present {
                let count = Int(try take(UInt8.self))
                guard 1...Baseline.weeks ~= count else { throw .value }
                var hours: [Baseline.Hour] = []
                for _ in 0..<count {
                    let hour = Baseline.Hour(
                        minute: .init(median: try take(Int16.self), spread: try take(Int16.self)),
                        tenMinutes: .init(median: try take(Int16.self), spread: try take(Int16.self)),
                        mean: try take(Int16.self)
                    )
                    guard hour.numbers.allSatisfy({ $0 >= 0 }) else { throw .value }
                    hours.append(hour)
                }
                baseline.restore(hours, slot: slot, latest: latest)
            }
            return baseline
        }
    }
}

extension Baseline.Hour {
    /// As they are written.
    fileprivate var numbers: [Int16] {
        [minute.median, minute.spread, tenMinutes.median, tenMinutes.spread, mean]
    }
}

extension [UInt8] {
    fileprivate mutating func put<Value: FixedWidthInteger>(_ value: Value) {
        for shift in stride(from: 0, to: Value.bitWidth, by: 8) { append(UInt8(truncatingIfNeeded: value >> shift)) }
    }
}

extension ArraySlice<UInt8> {
    /// FNV-1a.
    fileprivate var hash: UInt64 { reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 } }
}
