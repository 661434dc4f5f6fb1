public import Packets

/// What services cost, and who causes it.
public struct CostReport: Equatable, Sendable {
    /// Amounts of money, or of GB out where no prices are set: ``CostReport/unit``.
    public struct Amounts: Equatable, Sendable {
        /// In an hour, as of the last ten minutes.
        public var perHour = 0.0
        /// Since midnight (UTC).
        public var today = 0.0
        /// In a month, if it goes on as in the last day.
        public var projectedMonth = 0.0
        /// What was used for it today.
        public var usageToday = CostUsage()

        static func += (left: inout Amounts, right: Amounts) {
            left.perHour += right.perHour
            left.today += right.today
            left.projectedMonth += right.projectedMonth
            left.usageToday += right.usageToday
        }
    }

    public struct Client: Equatable, Sendable {
        public var address: Address
        public var family: Family
        public var perHour: Double
        /// Since it was first seen.
        public var total: Double
        /// Of its service's cost since then, 0 ... 1.
        public var share: Double
    }

    public struct Service: Equatable, Sendable {
        /// Address and port.
        public var service: Subject
        public var amounts: Amounts
        /// What is usual in this hour, in an hour: bytes, and those that requests are as dear as; nil: not known yet.
        public var usualLoad: Double?
        /// Hours of the week that are learnt: 0 ... 168.
        public var learntHours: Int
        /// Those that cause the most; the largest first.
        public var clients: [Client]
    }

    /// The dearest first.
    public var services: [Service] = []
    /// Of all services, also those that are not listed.
    public var total = Amounts()
    public var unit: String
    /// What the month will cost, as a multiple of the budget; nil: there is none.
    public var budgetBurn: Double?
    /// What found no room.
    public var turnedAway: UInt64
}

extension EDoSDetector {
    /// - Parameters:
    ///   - services: at most so many, the dearest first.
    ///   - clients: at most so many of each.
    func report(services: Int, clients: Int) -> CostReport {
        let prices = settings.prices
        var report = CostReport(unit: prices.unit, turnedAway: turnedAway)
        var rows: [(place: Int, amounts: CostReport.Amounts)] = []
        for (place, service) in table.services.enumerated() {
            let amounts = CostReport.Amounts(
                perHour: prices.cost(of: service.rate),
                today: prices.cost(of: service.today),
                projectedMonth: prices.cost(of: service.projectedMonth),
                usageToday: service.today
            )
            report.total += amounts
            rows.append((place, amounts))
        }
        rows.sort { left, right in
            left.amounts.projectedMonth == right.amounts.projectedMonth
                ? table.services[left.place].key < table.services[right.place].key
                : left.amounts.projectedMonth > right.amounts.projectedMonth
        }
        report.services = rows.prefix(services).map { row in
            let service = table.services[row.place]
            return CostReport.Service(
                service: service.key,
                amounts: row.amounts,
                usualLoad: service.state?.expectation?.mean,
                learntHours: baselines[service.key]?.learnt ?? 0,
                clients: topClients(of: row.place, clients)
            )
        }
        report.budgetBurn = prices.monthlyBudget.map { $0 > 0 ? report.total.projectedMonth / $0 : .infinity }
        return report
    }

    private func topClients(of place: Int, _ count: Int) -> [CostReport.Client] {
        let prices = settings.prices
        let clients = table.clients.filter { $0.key.service == Int32(place) }.sorted { left, right in
            let (low, high) = (prices.cost(of: left.total), prices.cost(of: right.total))
            return low == high ? left.key < right.key : low > high
        }
        return clients.prefix(count).map { client in
            let total = prices.cost(of: client.total)
            let all = prices.cost(of: table.services[place].total) - prices.cost(of: client.before)
            return CostReport.Client(
                address: client.key.address,
                family: client.key.family,
                perHour: prices.cost(of: client.rate),
                total: total,
                share: all > 0 ? min(1, total / all) : 0
            )
        }
    }
}

extension Detection {
    private var edosPlace: Int? { detectors.firstIndex { $0 is EDoSDetector } }

    /// What services cost now.
    public func costs(services: Int = 20, clients: Int = 20) -> CostReport? {
        edosPlace.flatMap { (detectors[$0] as? EDoSDetector)?.report(services: services, clients: clients) }
    }

    /// What is usual at each service: to be kept over restarts, and given back before the first window.
    public var baselines: Baselines {
        get { edosPlace.flatMap { (detectors[$0] as? EDoSDetector)?.baselines } ?? Baselines() }
        set {
            guard let place = edosPlace, var detector = detectors[place] as? EDoSDetector else { return }
            detector.baselines = newValue
            detectors[place] = detector
        }
    }
}
