/// Texts of /proc and /sys as different kernels write them.
enum Fixtures {
    /// Linux 6.1, two CPUs.
    static let stat = """
        cpu  4705 150 1120 16250 520 30 45 200 175 100
        cpu0 2305 75 560 8125 260 15 20 100 80 50
        cpu1 2400 75 560 8125 260 15 25 100 95 50
        intr 114930548 113199788 3 0 5 263 0 4 0 1
        ctxt 1990473
        btime 1062191376
        processes 2915
        procs_running 1
        procs_blocked 0

        """

    /// Linux 2.4: four numbers.
    static let oldStat = """
        cpu 100 0 50 850
        cpu0 100 0 50 850
        page 5741 1808

        """

    static let memory = """
        MemTotal:       16384000 kB
        MemFree:         1024000 kB
        MemAvailable:    8192000 kB
        Buffers:          204800 kB
        Cached:          6144000 kB
        SwapCached:            0 kB

        """

    /// Linux 2.6.32: no estimate of what is available.
    static let oldMemory = """
        MemTotal:        1000000 kB
        MemFree:          100000 kB
        Buffers:           50000 kB
        Cached:           250000 kB
        SwapCached:         9999 kB
        Active:           300000 kB

        """

    /// Linux 5.5 and later (20 columns), 4.18 (18), 2.6.25 (14), and a partition of 2.6.0 (7).
    static let disks = """
           8       0 sda 100 0 2000 50 60 0 4000 70 0 90 120 5 0 800 3 2 1
           8       1 sda1 90 0 1900 40 50 0 3900 60 0 80 100 5 0 800 3 2 1
         259       0 nvme0n1 10 0 200 5 6 0 400 7 0 9 12 5 0 800 3
         104       0 cciss/c0d0 1 0 20 5 6 0 40 7 0 9 12
           3       1 hda1 35486 0 35496 38030
         253       0 dm-0 90 0 1900 40 50 0 3900 60 0 80 100 0 0 0 0 0 0
           7       0 loop0 90 0 1900 40 50 0 3900 60 0 80 100 0 0 0 0 0 0

        """
}

extension String {
    /// The text's bytes.
    var bytes: [UInt8] { Array(utf8) }
}
