import Packets

@testable import Flows

/// What is told of a list of whole numbers.
struct ReferenceRow {
    var sum = 0.0
    var mean = 0.0
    /// Of the sample.
    var variance = 0.0
    var deviation: Double { variance.squareRoot() }
    var least = 0.0
    var most = 0.0
    var isEmpty = true

    /// All figures of nothing are 0.
    init(_ values: [Int64], per unit: Double = 1) {
        guard let smallest = values.min(), let largest = values.max() else { return }
        isEmpty = false
        let count = Int128(values.count)
        let total = values.reduce(Int128(0)) { $0 + Int128($1) }
        sum = Double(total) / unit
        mean = Double(total) / Double(count) / unit
        least = Double(smallest) / unit
        most = Double(largest) / unit
        guard values.count > 1 else { return }
        // Distances to the mean, times their number, are whole; their squares are added with a correction (Kahan).
        var squares = 0.0
        var error = 0.0
        for value in values {
            let distance = Double(count * Int128(value) - total) / Double(count) / unit
            let term = distance * distance - error
            let next = squares + term
            error = (next - squares) - term
            squares = next
        }
        variance = squares / Double(values.count - 1)
    }

    init(_ values: [Int]) { self.init(values.map(Int64.init)) }

    var meanToLeast: [Double] { [mean, deviation, most, least] }
    var mostToDeviation: [Double] { [most, least, mean, deviation] }
}

extension ReferenceFlow {
    /// Between neighbours.
    static func gaps(_ packets: [ReferencePacket]) -> [Int64] {
        zip(packets.dropFirst(), packets).map { $0.time - $1.time }
    }

    private func row(_ times: [Int64]) -> ReferenceRow { ReferenceRow(times, per: 1000) }

    private func count(_ flag: TCPFlags, in packets: [ReferencePacket]? = nil) -> Double {
        Double((packets ?? self.packets).count { $0.flags.contains(flag) })
    }

    func values(_ profile: FlowProfile) -> [Double] {
        switch profile {
        case .corrected: corrected
        case .cic: cic
        }
    }

    // MARK: The profile `corrected`: docs/features.md

    private var corrected: [Double] {
        let (forward, backward) = (self.forward, self.backward)
        let seconds = Double(last - first) / 1e9
        let rate = { (amount: Double) in seconds > 0 ? amount / seconds : 0.0 }
        let forwardLengths = ReferenceRow(forward.map(\.payload))
        let backwardLengths = ReferenceRow(backward.map(\.payload))
        let lengths = ReferenceRow(packets.map(\.payload))
        let gaps = Self.gaps(packets)
        let (forwardGaps, backwardGaps) = (row(Self.gaps(forward)), row(Self.gaps(backward)))
        let subflows = Double(gaps.count { $0 > 1_000_000_000 } + 1)

        var values = [Double(last - first) / 1000, Double(forward.count), Double(backward.count)]
        values += [forwardLengths.sum, backwardLengths.sum]
        values += forwardLengths.mostToDeviation + backwardLengths.mostToDeviation
        values += [rate(lengths.sum), rate(Double(packets.count))]
        values += row(gaps).meanToLeast
        values += [forwardGaps.sum] + forwardGaps.meanToLeast + [backwardGaps.sum] + backwardGaps.meanToLeast
        values += [count(.psh, in: forward), count(.psh, in: backward)]
        values += [count(.urg, in: forward), count(.urg, in: backward)]
        values += [ReferenceRow(forward.map(\.header)).sum, ReferenceRow(backward.map(\.header)).sum]
        values += [rate(Double(forward.count)), rate(Double(backward.count))]
        values += [lengths.least, lengths.most, lengths.mean, lengths.deviation, lengths.variance]
        values += [.fin, .syn, .rst, .psh, .ack, .urg, .cwr, .ece].map { count($0) }
        values.append(forward.isEmpty ? 0 : Double(backward.count) / Double(forward.count))
        values += [lengths.sum / Double(packets.count), forwardLengths.mean, backwardLengths.mean]
        values += bulks(isForward: true) + bulks(isForward: false)
        values += [Double(forward.count), forwardLengths.sum, Double(backward.count), backwardLengths.sum]
            .map { $0 / subflows }
        values += [Double(forward.first?.window ?? 0), Double(backward.first?.window ?? 0)]
        values.append(Double(forward.count { $0.payload > 0 }))
        values.append(Double(forward.filter { !$0.isLaterFragment }.map(\.header).min() ?? 0))
        return values + activity
    }

    /// Active: from the first to the last packet of a stretch in which none comes more than 5 s after the one before, where
    /// that is any time at all. Idle: the gaps between such stretches.
    private var activity: [Double] {
        var stretches = [[packets[0].time]]
        var idle: [Int64] = []
        for (packet, before) in zip(packets.dropFirst(), packets) {
            if packet.time - before.time > 5_000_000_000 {
                idle.append(packet.time - before.time)
                stretches.append([])
            }
            stretches[stretches.count - 1].append(packet.time)
        }
        let active = stretches.map { $0[$0.count - 1] - $0[0] }.filter { $0 > 0 }
        return row(active).meanToLeast + row(idle).meanToLeast
    }

    /// Runs of at least 4 packets with payload of one direction, none more than 1 s after the one before it, with no payload
    /// of the other direction between them. Bytes and packets of a run, and bytes per second of all runs.
    private func bulks(isForward: Bool) -> [Double] {
        var runs: [[ReferencePacket]] = [[]]
        for packet in packets where packet.payload > 0 {
            guard packet.isForward == isForward else {
                runs.append([])
                continue
            }
            if let last = runs[runs.count - 1].last, packet.time - last.time > 1_000_000_000 { runs.append([]) }
            runs[runs.count - 1].append(packet)
        }
        let bulks = runs.filter { $0.count >= 4 }
        guard !bulks.isEmpty else { return [0, 0, 0] }
        let bytes = Double(bulks.joined().reduce(0) { $0 + $1.payload })
        let count = Double(bulks.reduce(0) { $0 + $1.count })
        let seconds = bulks.reduce(0.0) { $0 + Double($1[$1.count - 1].time - $1[0].time) / 1e9 }
        return [bytes / Double(bulks.count), count / Double(bulks.count), seconds > 0 ? bytes / seconds : 0]
    }

    // MARK: The profile `cic`: CICFlowMeter 4.0, BasicFlow, step by step

    private var cic: [Double] {
        let (forward, backward) = (self.forward, self.backward)
        let micros = (last - first) / 1000
        let seconds = Double(micros) / 1_000_000
        let forwardLengths = ReferenceRow(forward.map(\.payload))
        let backwardLengths = ReferenceRow(backward.map(\.payload))
        // The first packet is added by the constructor's common part and by its branch.
        let lengths = ReferenceRow([packets[0].payload] + packets.map(\.payload))
        let gaps = Self.gaps(packets)
        let (forwardGaps, backwardGaps) = (row(Self.gaps(forward)), row(Self.gaps(backward)))
        let bytes = packets.reduce(0) { $0 + $1.payload }

        var values = [Double(micros), Double(forward.count), Double(backward.count)]
        values += [forwardLengths.sum, backwardLengths.sum]
        values += forwardLengths.mostToDeviation + backwardLengths.mostToDeviation
        values += [Double(bytes) / seconds, Double(packets.count) / seconds]
        values += row(gaps).meanToLeast
        values += [forwardGaps.sum] + forwardGaps.meanToLeast + [backwardGaps.sum] + backwardGaps.meanToLeast
        values += [packets[0].flags.contains(.psh) ? 1 : 0, 0, packets[0].flags.contains(.urg) ? 1 : 0, 0]
        values += [ReferenceRow(forward.map(\.header)).sum, ReferenceRow(backward.map(\.header)).sum]
        values += [forward, backward].map { micros > 0 ? Double($0.count) / seconds : 0 }
        values += [lengths.least, lengths.most, lengths.mean, lengths.deviation, lengths.variance]
        values += [.fin, .syn, .rst, .psh, .ack, .urg, .cwr, .ece].map { count($0) }
        values.append(Double(backward.count / forward.count))
        values += [lengths.sum / Double(packets.count), forwardLengths.mean, backwardLengths.mean]
        values += [0, 0, 0] + bulkOfBoth
        let pauses = gaps.count { $0 > 1_000_000_000 }
        let forwardBytes = forward.reduce(0) { $0 + $1.payload }
        values += [forward.count, forwardBytes, backward.count, bytes - forwardBytes].map {
            pauses == 0 ? 0 : Double($0 / pauses)
        }
        values += [Double(packets[0].window), Double(backward.last?.window ?? 0)]
        values.append(Double(forward.dropFirst().count { $0.payload > 0 }))
        values.append(Double(forward.filter { !$0.isLaterFragment }.map(\.header).min() ?? 0))
        return values + activityOfCIC
    }

    /// `updateActiveIdleTime`; the last stretch is never added.
    private var activityOfCIC: [Double] {
        var (start, end) = (first, first)
        var active: [Int64] = []
        var idle: [Int64] = []
        for packet in packets.dropFirst() {
            if packet.time - end > 5_000_000_000 {
                if end - start > 0 { active.append(end - start) }
                idle.append(packet.time - end)
                start = packet.time
            }
            end = packet.time
        }
        return row(active).meanToLeast + row(idle).meanToLeast
    }

    /// `updateBackwardBulk`, which gets the packets of both directions.
    private var bulkOfBoth: [Double] {
        var (count, bulkPackets, bulkBytes, duration) = (0, 0, 0, Int64(0))
        var (run, runBytes, start, last) = (0, 0, Int64(0), Int64(0))
        for packet in packets where packet.payload > 0 {
            if run == 0 || packet.time - last > 1_000_000_000 {
                (run, runBytes, start) = (1, packet.payload, packet.time)
            } else {
                run += 1
                runBytes += packet.payload
                if run == 4 {
                    count += 1
                    bulkPackets += 4
                    bulkBytes += runBytes
                    duration += packet.time - start
                } else if run > 4 {
                    bulkPackets += 1
                    bulkBytes += packet.payload
                    duration += packet.time - last
                }
            }
            last = packet.time
        }
        guard count > 0 else { return [0, 0, 0] }
        let seconds = Double(duration / 1000) / 1_000_000
        let rate = duration == 0 ? 0 : (Double(bulkBytes) / seconds).rounded(.towardZero)
        return [Double(bulkBytes / count), Double(bulkPackets / count), rate]
    }
}
