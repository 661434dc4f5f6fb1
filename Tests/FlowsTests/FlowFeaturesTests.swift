import Glibc
import Packets
import Support
import Testing

@testable import Flows

/// Every feature of every flow, against lists of all packets.
struct FlowFeaturesTests {
    /// What differs between tables and lists; empty where nothing does.
    static func differences(_ run: FlowRun, _ reference: ReferenceCutter) -> [String] {
        let profile = reference.settings.profile
        let records = run.flows.map { (name: order($0), record: $0) }.sorted { $0.name < $1.name }
        let flows = reference.flows.map { (name: order($0), flow: $0) }.sorted { $0.name < $1.name }
        guard records.count == flows.count else { return ["\(records.count) flows for \(flows.count)"] }
        var found: [String] = []
        for ((recordName, record), (name, flow)) in zip(records, flows) {
            guard recordName == name else { return found + ["\(recordName) for \(name)"] }
            if record.end != flow.end { found.append("\(name): ended \(record.end) for \(flow.end)") }
            // CICFlowMeter never writes a flow of one packet.
            if profile == .cic, flow.packets.count < 2 { continue }
            let values = record.features.values(profile)
            for (place, expected) in flow.values(profile).enumerated() where !isNear(values[place], expected) {
                found.append("\(name): \(FlowFeatures.names[place]) \(values[place]) for \(expected)")
            }
            found += otherDifferences(record, flow).map { "\(name): \($0)" }
        }
        return found
    }

    /// Two flows of one tuple may begin at one time, so their sizes stand here too.
    private static func order(_ record: FlowRecord) -> String {
        "\(record.features.first) \(record.key.interface) \(record.key.vlan ?? 9999) \(record.key.family) "
            + "\(record.key.protocolNumber) \(record.initiator)/\(record.initiatorPort) "
            + "\(record.responder)/\(record.responderPort) \(record.features.packets) \(record.features.last)"
    }

    private static func order(_ flow: ReferenceFlow) -> String {
        "\(flow.first) \(flow.tuple.interface) \(flow.tuple.vlan ?? 9999) \(flow.tuple.family) "
            + "\(flow.tuple.protocolNumber) \(flow.initiator.address)/\(flow.initiator.port) "
            + "\(flow.responder.address)/\(flow.responder.port) \(flow.packets.count) \(flow.last)"
    }

    static func isNear(_ value: Double, _ expected: Double) -> Bool {
        if value == expected || value.isNaN && expected.isNaN { return true }
        return abs(value - expected) <= 1e-9 * max(abs(value), abs(expected))
    }

    private static func otherDifferences(_ record: FlowRecord, _ flow: ReferenceFlow) -> [String] {
        var found: [String] = []
        func compare(_ what: String, _ value: Int, _ expected: Int) {
            if value != expected { found.append("\(what) \(value) for \(expected)") }
        }
        compare("late", Int(record.late), flow.packets.count(where: \.isLate))
        compare("later fragments", Int(record.laterFragments), flow.packets.count(where: \.isLaterFragment))
        compare("bytes forward", Int(record.forward.bytes), flow.forward.reduce(0) { $0 + $1.wireBytes })
        compare("bytes backward", Int(record.backward.bytes), flow.backward.reduce(0) { $0 + $1.wireBytes })
        for (place, packet) in flow.packets.prefix(FlowOpening.packets).enumerated() {
            compare("size \(place)", Int(record.opening.sizes[place]), packet.ipLength * (packet.isForward ? 1 : -1))
            let gap = place == 0 ? 0 : (packet.time - flow.packets[place - 1].time) / 1000
            compare("gap \(place)", Int(record.opening.gaps[place]), Int(min(max(0, gap), Int64(UInt32.max))))
        }
        return found
    }

    static func settings(_ profile: FlowProfile, memory: Int = 64 << 20) -> FlowSettings {
        var settings = profile == .cic ? FlowSettings.cic : FlowSettings()
        settings.interim = nil
        settings.memory = memory
        return settings
    }

    /// - Returns: how many flows agree.
    @discardableResult
    static func hold(_ frames: [CapturedFrame], _ settings: FlowSettings, _ name: String) -> Int {
        let profile = settings.profile
        let run = FlowRun(frames, settings)
        let reference = ReferenceCutter(frames, settings)
        let found = differences(run, reference)
        #expect(found.isEmpty, "\(name), \(profile): \(found.count), \(found.prefix(3))")
        #expect(run.strays.packets == UInt64(reference.strays), "\(name), \(profile)")
        #expect(run.counters.evicted == 0, "\(name): without room nothing can be compared")
        #expect(run.counters.started == UInt64(reference.flows.count))
        return found.isEmpty ? reference.flows.count : 0
    }

    static let seeds: [UInt64] = [1, 2, 3, 4, 5, 6, 7, 8]

    @Test(arguments: seeds, FlowProfile.allCases) func randomTrafficAgrees(seed: UInt64, profile: FlowProfile) {
        // CICFlowMeter drops the second FIN of an initiator with its whole frame; it never sees offload's frames.
        let frames = RandomTraffic.frames(seed: seed, count: 2500, offloadsFIN: profile == .corrected)
        var settings = Self.settings(profile)
        if profile == .corrected, seed % 2 == 0 {
            settings.idle = 20_000_000_000
            settings.active = 25_000_000_000
        }
        Self.hold(frames, settings, "seed \(seed)")
    }

    @Test(arguments: [FlowProfile.corrected]) func trafficInOrderAgreesWithoutTimeouts(profile: FlowProfile) {
        let frames = RandomTraffic.frames(seed: 21, count: 2500, jumps: false)
        var settings = Self.settings(profile)
        settings.idle = nil
        settings.active = nil
        settings.close = nil
        let found = Self.differences(FlowRun(frames, settings), ReferenceCutter(frames, settings))
        #expect(found.isEmpty, "\(found.count), \(found.prefix(3))")
    }

    /// Else an agreement would say nothing.
    @Test(arguments: FlowProfile.allCases) func everyFeatureIsExercised(profile: FlowProfile) {
        var seen = Set<Int>()
        var ends = Set<FlowEnd>()
        for seed in Self.seeds.prefix(4) {
            let frames = RandomTraffic.frames(seed: seed, count: 2500)
            var settings = Self.settings(profile)
            if profile == .corrected, seed % 2 == 0 { settings.active = 25_000_000_000 }
            for flow in ReferenceCutter(frames, settings).flows where flow.packets.count > 1 {
                ends.insert(flow.end)
                for (place, value) in flow.values(profile).enumerated() where value != 0 { seen.insert(place) }
            }
        }
        let constant = Set((0..<76).filter { !seen.contains($0) }.map { FlowFeatures.names[$0] })
        let always0: Set = [
            "Bwd PSH Flags", "Bwd URG Flags", "Fwd Bytes/Bulk Avg", "Fwd Packet/Bulk Avg", "Fwd Bulk Rate Avg",
        ]
        #expect(constant == (profile == .cic ? always0 : []))
        #expect(ends.isSuperset(of: profile == .cic ? [.active, .closed] : [.active, .closed, .idle]))
    }

    @Test func featuresFitTheirBound() {
        #expect(MemoryLayout<FlowFeatures>.size <= 512)
        #expect(MemoryLayout<FlowFeatures>.stride <= 512)
        #expect(FlowFeatures.names.count == 76)
        #expect(Set(FlowFeatures.names).count == 76)
    }

    /// Of long captures the first frames; all of them where `WEIR_TEST_ALL` is set, which takes some minutes.
    static let framesOfACapture = unsafe getenv("WEIR_TEST_ALL") == nil ? 1000 : Int.max

    @Test(.enabled(if: !SharedCapture.all.isEmpty, "no shared captures: set WEIR_TEST_DATA"))
    func realCapturesAgree() {
        var (captures, frameCount, left, unread) = (0, 0, UInt64(0), 0)
        var flows: [FlowProfile: Int] = [:]
        for capture in SharedCapture.all {
            guard let frames = capture.frames(limit: Self.framesOfACapture) else {
                unread += 1
                continue
            }
            captures += 1
            frameCount += frames.count
            left += capture.packets - min(capture.packets, UInt64(frames.count))
            // No flow may have to make room.
            let memory = frames.count > 1000 ? 64 << 20 : 8 << 20
            for profile in FlowProfile.allCases {
                flows[profile, default: 0] += Self.hold(frames, Self.settings(profile, memory: memory), capture.name)
            }
        }
        print("\(captures) captures, \(unread) more are none; \(frameCount) frames, \(left) left out; flows \(flows)")
        #expect(captures > 1400 && flows[.corrected] ?? 0 > 10_000)
    }
}
