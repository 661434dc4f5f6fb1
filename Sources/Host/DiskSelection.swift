import Glibc
import Linux

/// Which block devices are disks of their own, so that no transfer is counted twice.
struct DiskSelection: Sendable {
    private static let limit = 4096
    private var known: [UInt64: Bool] = [:]

    /// Whether a row of /proc/diskstats is a whole disk; asks /sys once per device.
    mutating func isDisk(_ device: UInt64, _ name: Span<UInt8>) -> Bool {
        if let answer = known[device] { return answer }
        if known.count >= Self.limit { known.removeAll(keepingCapacity: true) }
        // In /sys a slash of a device's name is written as an exclamation mark.
        let path = name.array.map { $0 == UInt8(ascii: "/") ? UInt8(ascii: "!") : $0 }
        let answer = Self.isDisk(named: String(decoding: path, as: UTF8.self), blockFolder: "/sys/block")
        known[device] = answer
        return answer
    }

    /// Partitions are not in /sys/block. Devices on top of others (device mapper, RAID, ...) have `slaves`, the paths
    /// below a multipath NVMe disk are `hidden`, and memory and loop devices are no disks.
    static func isDisk(named name: String, blockFolder: String) -> Bool {
        let virtual = ["loop", "ram", "zram", "dm-", "md", "drbd", "bcache", "zd", "sr", "fd"]
        guard !virtual.contains(where: { name.hasPrefix($0) && name.dropFirst($0.count).first?.isNumber == true })
        else { return false }
        let folder = "\(blockFolder)/\(name)"
        guard unsafe access(folder, F_OK) == 0 else { return false }
        if let hidden = try? ProcFile("\(folder)/hidden").contents(limit: 16), hidden.first == UInt8(ascii: "1") {
            return false
        }
        guard let below = try? Directory("\(folder)/slaves") else { return true }
        return below.isEmpty
    }
}
