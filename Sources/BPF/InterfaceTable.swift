import Glibc
public import KernelABI
import Linux

/// The totals of the watched interfaces, by interface index. One writer only.
public struct InterfaceTable: ~Copyable, Sendable {
    /// Key: the number of an entry, which `placeOf` gives out.
    public let counters: Map<UInt32, weir_interface>
    /// Where the programs look an interface up; see `bpf/abi/counters.h`.
    public let placeOf: Variable<UInt64>

    public init(counters: consuming Map<UInt32, weir_interface>, placeOf: consuming Variable<UInt64>) {
        self.counters = counters
        self.placeOf = placeOf
    }

    /// An interface's totals since its entry was made, or nil if there is none.
    public func value(for index: UInt32) throws(BPFError) -> weir_interface? {
        guard let place = place(of: index) else { return nil }
        return try counters.value(for: Self.entry(placeOf[place]))
    }

    /// Makes an interface's entry, or begins it again, with the same value for every CPU.
    ///
    /// - Throws: `system` with E2BIG when all entries, or all places of this index, are taken.
    public func set(_ value: weir_interface, for index: UInt32) throws(BPFError) {
        if let place = place(of: index) { return try counters.set(value, for: Self.entry(placeOf[place])) }
        var free = Set(0..<UInt32(counters.description.capacity))
        for place in 0..<placeOf.count where placeOf[place] != 0 { free.remove(Self.entry(placeOf[place])) }
        guard let entry = free.min(), let place = Self.places(of: index).first(where: { placeOf[$0] == 0 }) else {
            throw .system(SystemError("a further watched interface, \(index)", Errno(rawValue: E2BIG)))
        }
        try counters.set(value, for: entry)
        placeOf[place] = UInt64(index) << 32 | UInt64(entry + 1)
    }

    /// Takes an interface's entry out; answers whether there was one.
    @discardableResult
    public func remove(_ index: UInt32) throws(BPFError) -> Bool {
        guard let place = place(of: index) else { return false }
        placeOf[place] = 0
        return true
    }

    private func place(of index: UInt32) -> Int? {
        Self.places(of: index).first { placeOf[$0] >> 32 == UInt64(index) && placeOf[$0] != 0 }
    }

    private static func places(of index: UInt32) -> some Collection<Int> {
        (0..<WEIR_PROBES).lazy.map { Int((index &+ $0 &* 67) % WEIR_PLACES) }
    }

    private static func entry(_ word: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: word) &- 1 }
}
