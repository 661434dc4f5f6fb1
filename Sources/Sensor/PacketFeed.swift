import Flows
import Reports

/// The packet view: the last packets of all workers in one row, each with a number that a client can go on from.
///
/// The workers keep their own last packets; they are merged by time when somebody asks, and not before.
struct PacketFeed {
    private let capacity: Int
    private var taken: [UInt64]
    private var held: [(sequence: UInt64, summary: PacketSummary)] = []
    private var next: UInt64 = 1

    init(capacity: Int, workers: Int) {
        self.capacity = capacity
        taken = [UInt64](repeating: 0, count: workers)
    }

    /// Takes over what the workers have seen since the last call.
    mutating func update(from workers: [SamplingWorker]) {
        var fresh: [PacketSummary] = []
        for (number, worker) in workers.enumerated() {
            worker.withState { state in
                let new = state.recent.appended - taken[number]
                taken[number] = state.recent.appended
                fresh += state.recent.latest(Int(clamping: new))
            }
        }
        fresh.sort { $0.time < $1.time }
        // Numbers are given to all that arrived, also to those that a busy second pushed out between two calls.
        for summary in fresh {
            held.append((next, summary))
            next += 1
        }
        if held.count > capacity { held.removeFirst(held.count - capacity) }
    }

    /// The newest `count` held, oldest first; with `after`, only those with a higher number.
    func list(count: Int, after: UInt64?, names: [UInt32: String]) -> PacketList {
        let chosen = held.suffix(max(0, count)).filter { $0.sequence > after ?? 0 }
        let views = chosen.map {
            PacketView($0.summary, sequence: $0.sequence, interface: names[$0.summary.interface] ?? "?")
        }
        return PacketList(time: .now, packets: views, total: held.count)
    }
}
