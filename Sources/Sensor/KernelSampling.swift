import BPF
import Flows
import Keeper
import KernelABI

/// Steers the sampling filter and reads what it let through. Needs no privilege.
final class KernelSampling {
    private let maps: SamplingMaps

    init(_ maps: consuming SamplingMaps) {
        self.maps = maps
    }

    /// Takes effect with the next frame.
    func set(oneIn: UInt32, _ sample: Configuration.Sample) {
        maps.parameters[0] = weir_sampling(
            one_in: oneIn,
            budget: UInt32(clamping: sample.budget),
            snap: UInt32(clamping: sample.snap),
            snap_first: UInt32(clamping: max(sample.snap, 1_600))
        )
    }

    /// Frames offered and kept since the filter was loaded.
    var sampling: Flows.Sampling {
        var sampling = Flows.Sampling()
        for each in SamplingClass.allCases {
            guard let counted = (try? maps.sampled.value(for: UInt32(each.rawValue))).flatMap(\.self) else { continue }
            sampling[each] = SamplingCounters(offered: counted.offered, kept: counted.kept)
        }
        return sampling
    }

    /// Bytes of kernel memory of its maps.
    var memory: UInt64 { maps.memory }
}
