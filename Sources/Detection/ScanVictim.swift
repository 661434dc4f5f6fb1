import Packets

/// A host at which many sources may fail together.
struct ScanVictim: Sendable {
    private struct Half: Sendable {
        var began: Int32
        var ports = ScanSketch()
        var sources = ScanSketch()
        /// Sources with the ports that each tried.
        var pairs = ScanSketch()
        var failures = 0
        var proven = 0
    }

    let family: Family
    private var now: Half
    private var before: Half?
    /// Failures of the window that is judged.
    var fresh = 0
    private var majority = Majority<ThreatClass.ScanTechnique>()

    init(_ family: Family, at tick: Int32) {
        self.family = family
        now = Half(began: tick)
    }

    /// - Parameter span: windows that are looked back on, in two halves.
    mutating func fail(_ target: ScanTarget, from source: Address, span: Int32) {
        advance(to: target.tick, span: span)
        fresh += 1
        now.ports.add(target.hash)
        now.sources.add(source.mixed)
        now.pairs.add((source.mixed ^ target.hash).mixed)
        now.failures += 1
        if target.outcome != .silent { now.proven += 1 }
        majority.add(target.technique)
    }

    mutating func advance(to tick: Int32, span: Int32) {
        let age = tick &- now.began
        guard age > span / 2 else { return }
        before = age > span ? nil : now
        now = Half(began: tick)
    }

    /// Forgets all: it was something else.
    mutating func reset(at tick: Int32) { self = ScanVictim(family, at: tick) }

    var ports: Double { merged(\.ports) }
    var sources: Double { merged(\.sources) }
    /// How much of what the sources tried no other of them tried, 0 ... 1: near 1 where they share the work.
    var division: Double { min(1, ports / max(1, merged(\.pairs))) }
    var failures: Int { now.failures + (before?.failures ?? 0) }
    var proven: Int { now.proven + (before?.proven ?? 0) }

    private func merged(_ sketch: KeyPath<Half, ScanSketch>) -> Double {
        var all = now[keyPath: sketch]
        if let before { all.merge(before[keyPath: sketch]) }
        return all.estimate
    }

    var technique: ThreatClass.ScanTechnique { majority.candidate ?? .syn }
}

/// What most are, if more than half are the same (Boyer and Moore 1981); else one of the frequent ones.
struct Majority<Element: Equatable & Sendable>: Sendable {
    private(set) var candidate: Element?
    private var votes = 0

    mutating func add(_ element: Element) {
        if votes == 0 { candidate = element }
        votes += element == candidate ? 1 : -1
    }
}
