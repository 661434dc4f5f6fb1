/// One row of /proc/diskstats: what a block device has transferred since the host started.
public struct DiskStatistics: Equatable, Sendable {
    /// Major and minor number in one.
    public let device: UInt64
    public let readBytes: UInt64
    public let writtenBytes: UInt64

    /// The kernel counts sectors of 512 bytes, whatever the device's own are (Documentation/admin-guide/iostats.rst).
    private static let sectorSize: UInt64 = 512

    /// Reads /proc/diskstats into `rows`, leaving out the devices that `isCounted` refuses.
    ///
    /// Rows of a form that is not known (partitions before 2.6.25 had four numbers) are skipped.
    static func read(
        _ text: Span<UInt8>,
        into rows: inout [DiskStatistics],
        isCounted: (_ device: UInt64, _ name: Span<UInt8>) -> Bool
    ) {
        rows.removeAll(keepingCapacity: true)
        var lines = ByteCursor(text)
        while var line = lines.line() {
            // major minor name, then: reads, merged, sectors, ms, writes, merged, sectors, ms, ...
            guard let major = line.number(), let minor = line.number(), let name = line.word(),
                line.number() != nil, line.number() != nil, let read = line.number(), line.number() != nil,
                line.number() != nil, line.number() != nil, let written = line.number(),
                major <= UInt32.max, minor <= UInt32.max
            else { continue }
            let device = major << 32 | minor
            guard isCounted(device, name) else { continue }
            rows.append(
                DiskStatistics(
                    device: device,
                    readBytes: read &* sectorSize,
                    writtenBytes: written &* sectorSize
                )
            )
        }
    }
}

/// What the host's disks transfer, in bytes per second.
public struct DiskRates: Equatable, Sendable {
    public let read: Double
    public let written: Double

    /// The sum over the disks that are in both readings; a counter that went back counts as unchanged.
    init(from earlier: [DiskStatistics], to later: [DiskStatistics], seconds: Double) {
        var read: UInt64 = 0
        var written: UInt64 = 0
        for (position, disk) in later.enumerated() {
            // The kernel keeps its order, so the same disk nearly always stands at the same place.
            let old =
                position < earlier.count && earlier[position].device == disk.device
                ? earlier[position] : earlier.first { $0.device == disk.device }
            guard let old else { continue }
            if disk.readBytes > old.readBytes { read &+= disk.readBytes - old.readBytes }
            if disk.writtenBytes > old.writtenBytes { written &+= disk.writtenBytes - old.writtenBytes }
        }
        self.read = seconds > 0 ? Double(read) / seconds : 0
        self.written = seconds > 0 ? Double(written) / seconds : 0
    }
}
