import Linux
import Reports

/// Which interfaces are watched, and why the others are not. A plain value made anew at every change of the links.
struct InterfaceSelection: Equatable {
    /// An interface to watch.
    struct Chosen: Equatable {
        var link: Link
        /// No device below or above it is watched too: its packets count towards speeds and ports, each once.
        var isOutermost: Bool
        /// Its bytes are the host's download and upload: outermost, and not `lo`.
        var countsAsTraffic: Bool { isOutermost && !link.isLoopback }
    }

    /// By kernel index.
    private(set) var chosen: [Chosen] = []
    private(set) var unwatched: [SensorStatus.Unwatched] = []
    /// Names that were asked for and are not there.
    private(set) var missing: [String] = []

    /// - Parameters:
    ///   - names: from the configuration; empty is the default route's interface, `all` every one that is up except `lo`.
    ///   - links: the links there are.
    ///   - preferred: index of the default route's interface.
    ///   - watched: indices of the links that are watched now: each stays, if it goes down or gets another name.
    init(names: [String], links: [Int32: Link], preferred: Int32?, watched: Set<Int32> = []) {
        let all = names.contains("all")
        let named = Set(names).subtracting(["all"])
        var picked: [Link] = []
        for link in links.values.sorted(by: { $0.index < $1.index }) {
            if named.contains(link.name) || watched.contains(link.index) || (all && link.isUp && !link.isLoopback)
                || (names.isEmpty && link.index == preferred)
            {
                picked.append(link)
            } else {
                unwatched.append(.init(name: link.name, reason: Self.reason(for: link, all: all)))
            }
        }
        let indices = Set(picked.map(\.index))
        chosen = picked.map { link in
            let neighbours = [link.masterIndex, link.lowerIndex].compactMap(\.self)
            return Chosen(link: link, isOutermost: indices.isDisjoint(with: neighbours))
        }
        missing = named.subtracting(picked.map(\.name)).sorted()
    }

    private static func reason(for link: Link, all: Bool) -> String {
        if link.isLoopback { return "loopback is watched only by name: --interface lo" }
        if all { return "it is down" }
        return "not chosen: --interface \(link.name), or --interface all"
    }
}
