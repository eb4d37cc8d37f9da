// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of the CUDA driver API that the runtime uses, loaded when first needed. Types and constants are those of
// cuda.h, which is not needed to build. https://docs.nvidia.com/cuda/cuda-driver-api
#ifndef LANDMARK_RUNTIME_CUDA_DRIVER_H
#define LANDMARK_RUNTIME_CUDA_DRIVER_H

#include "landmark/Expected.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace landmark::cuda {

using Result = int;
using Ordinal = int;                ///< CUdevice
using Address = unsigned long long; ///< CUdeviceptr
using Context = struct ContextTag *;
using Module = struct ModuleTag *;
using Function = struct FunctionTag *;
using StreamHandle = struct StreamTag *;
using EventHandle = struct EventTag *;
using LinkState = struct LinkStateTag *;
using GraphHandle = struct GraphTag *;
using GraphExec = struct GraphExecTag *;

using Allocation = unsigned long long; ///< CUmemGenericAllocationHandle

constexpr Result success = 0;
constexpr Result notReady = 600;

enum DeviceAttribute : int {
  MultiprocessorCount = 16,
  L2CacheSize = 38,
  ComputeCapabilityMajor = 75,
  ComputeCapabilityMinor = 76,
};
enum PointerAttribute : int { PointerMemoryType = 2, PointerIsManaged = 8, PointerDeviceOrdinal = 9 };
enum MemoryType : unsigned { HostMemory = 1, DeviceMemory = 2, UnifiedMemory = 4 };
enum FunctionAttribute : int { LocalBytes = 3, Registers = 4, MaxDynamicSharedBytes = 8 };
enum JitInput : int { PtxInput = 1 };
enum JitOption : int { InfoLogBuffer = 3, InfoLogBufferBytes = 4, ErrorLogBuffer = 5, ErrorLogBufferBytes = 6 };

enum TensorMapType : int { Float16 = 6, BFloat16 = 9 };
enum TensorMapSwizzle : int { Swizzle32 = 1, Swizzle64 = 2, Swizzle128 = 3 };
enum TensorMapPromotion : int { PromoteTo256 = 3 };

/// CUtensorMap.
struct alignas(64) TensorMapBytes {
  unsigned char bytes[128];
};

enum HostRegisterFlag : unsigned { RegisterPortable = 1, RegisterMapped = 2 };
enum CaptureMode : int { CaptureThreadLocal = 1, CaptureRelaxed = 2 };
enum StreamFlag : unsigned { NonBlocking = 1 };
enum EventFlag : unsigned { EventWithoutTiming = 2 };
enum AllocationType : int { PinnedAllocation = 1 };
enum LocationType : int { DeviceLocation = 1 };
enum Access : int { ReadWriteAccess = 3 };

/// CUmemLocation
struct MemoryLocation {
  int type, id;
};
/// CUmemAllocationProp
struct AllocationProperties {
  int type, requestedHandleTypes;
  MemoryLocation location;
  void *win32HandleMetaData;
  struct {
    unsigned char compressionType, gpuDirectRdmaCapable;
    unsigned short usage;
    unsigned char reserved[4];
  } flags;
};
/// CUmemAccessDesc
struct AccessDescription {
  MemoryLocation location;
  int flags;
};
enum CaptureStatus : int { NoCapture = 0 };
enum LaunchAttributeId : int { ClusterDimension = 4, ProgrammaticStreamSerialization = 6 };
/// CUlaunchAttribute
struct LaunchAttribute {
  int id;
  char padding[4];
  union {
    int value;
    unsigned cluster[3]; ///< blocks along x, y and z
    char bytes[64];
  };
};
/// CUlaunchConfig
struct LaunchConfig {
  unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes;
  StreamHandle stream;
  LaunchAttribute *attributes;
  unsigned attributeCount;
};
/// CUDA_MEMCPY2D
struct Memcpy2D {
  struct Side {
    std::size_t xInBytes, y;
    unsigned memoryType;
    const void *host;
    Address device;
    void *array;
    std::size_t pitch;
  } source, target;
  std::size_t bytes, rows;
};

/// CUmemcpyAttributes: sources are read in the stream's order.
struct CopyAttributes {
  int sourceOrder = 1;
  struct {
    int type = 0, id = 0;
  } sourceHint, targetHint;
  unsigned flags = 0;
};

/// The entry points: member `x` is `cuX` of the driver, in the version that CUDA 12.0 calls by that name
/// (cuCtxCreate: CUDA 3.2's).
struct Driver {
  Result (*init)(unsigned flags);
  Result (*driverGetVersion)(int *version);
  Result (*getErrorName)(Result, const char **name);
  Result (*getErrorString)(Result, const char **text);

  Result (*deviceGetCount)(int *count);
  Result (*deviceGet)(Ordinal *, int index);
  Result (*deviceGetName)(char *name, int capacity, Ordinal);
  Result (*deviceGetAttribute)(int *value, int attribute, Ordinal);
  Result (*deviceTotalMem)(std::size_t *bytes, Ordinal);
  Result (*devicePrimaryCtxRetain)(Context *, Ordinal);
  Result (*devicePrimaryCtxRelease)(Ordinal);

  Result (*ctxCreate)(Context *, unsigned flags, Ordinal);
  Result (*ctxDestroy)(Context);
  Result (*ctxGetCurrent)(Context *);
  Result (*ctxGetDevice)(Ordinal *);
  Result (*ctxPushCurrent)(Context);
  Result (*ctxPopCurrent)(Context *);
  Result (*ctxSynchronize)();

  Result (*moduleLoadDataEx)(Module *, const void *image, unsigned count, int *options, void **values);
  Result (*linkCreate)(unsigned count, int *options, void **values, LinkState *);
  Result (*linkAddData)(LinkState, int input, void *data, std::size_t bytes, const char *name, unsigned count,
                        int *options, void **values);
  Result (*linkComplete)(LinkState, void **cubin, std::size_t *bytes);
  Result (*linkDestroy)(LinkState);
  Result (*moduleUnload)(Module);
  Result (*moduleGetFunction)(Function *, Module, const char *name);
  Result (*funcGetAttribute)(int *value, int attribute, Function);
  Result (*funcSetAttribute)(Function, int attribute, int value);
  Result (*launchKernelEx)(const LaunchConfig *, Function, void **arguments, void **extra);

  Result (*tensorMapEncodeTiled)(TensorMapBytes *, int type, unsigned rank, void *address, const std::uint64_t *sizes,
                                 const std::uint64_t *strides, const std::uint32_t *box, const std::uint32_t *steps,
                                 int interleave, int swizzle, int promotion, int fill);
  Result (*tensorMapReplaceAddress)(TensorMapBytes *, void *address);

  Result (*memAlloc)(Address *, std::size_t bytes);
  Result (*memFree)(Address);
  Result (*memcpyHtoD)(Address to, const void *from, std::size_t bytes);
  Result (*memcpyDtoH)(void *to, Address from, std::size_t bytes);
  Result (*memsetD8)(Address, unsigned char value, std::size_t bytes);
  Result (*memcpyAsync)(Address to, Address from, std::size_t bytes, StreamHandle);
  Result (*memcpyHtoDAsync)(Address to, const void *from, std::size_t bytes, StreamHandle);
  Result (*memcpy2DAsync)(const Memcpy2D *, StreamHandle);
  /// Of CUDA 12.8; null where the driver is older.
  Result (*memcpyBatchAsync)(Address *to, Address *from, std::size_t *bytes, std::size_t count, CopyAttributes *,
                             std::size_t *firstOfAttributes, std::size_t attributes, std::size_t *failed,
                             StreamHandle);
  Result (*memGetAllocationGranularity)(std::size_t *bytes, const AllocationProperties *, int option);
  Result (*memAddressReserve)(Address *, std::size_t bytes, std::size_t alignment, Address wanted, unsigned long long flags);
  Result (*memAddressFree)(Address, std::size_t bytes);
  Result (*memCreate)(Allocation *, std::size_t bytes, const AllocationProperties *, unsigned long long flags);
  Result (*memRelease)(Allocation);
  Result (*memMap)(Address, std::size_t bytes, std::size_t offset, Allocation, unsigned long long flags);
  Result (*memUnmap)(Address, std::size_t bytes);
  Result (*memSetAccess)(Address, std::size_t bytes, const AccessDescription *, std::size_t count);
  Result (*memHostRegister)(void *, std::size_t bytes, unsigned flags);
  Result (*memHostUnregister)(void *);
  Result (*pointerGetAttribute)(void *value, int attribute, Address);

  Result (*streamCreate)(StreamHandle *, unsigned flags);
  Result (*streamDestroy)(StreamHandle);
  Result (*streamSynchronize)(StreamHandle);
  Result (*streamWaitEvent)(StreamHandle, EventHandle, unsigned flags);
  Result (*streamIsCapturing)(StreamHandle, int *status);
  Result (*eventCreate)(EventHandle *, unsigned flags);
  Result (*eventRecord)(EventHandle, StreamHandle);
  Result (*eventQuery)(EventHandle);
  Result (*eventSynchronize)(EventHandle);
  Result (*eventElapsedTime)(float *milliseconds, EventHandle start, EventHandle stop);
  Result (*eventDestroy)(EventHandle);
  Result (*threadExchangeStreamCaptureMode)(int *mode);
  Result (*streamBeginCapture)(StreamHandle, int mode);
  Result (*streamEndCapture)(StreamHandle, GraphHandle *);
  Result (*graphInstantiate)(GraphExec *, GraphHandle, unsigned long long flags);
  Result (*graphLaunch)(GraphExec, StreamHandle);
  Result (*graphExecDestroy)(GraphExec);
  Result (*graphDestroy)(GraphHandle);

  /// Loads and initialises the driver once per process. NotFound where there is none; the answer never changes.
  static Expected<const Driver *> get();

  /// The driver if the process already holds it, initialised or not; null otherwise. Loads nothing.
  static const Driver *resident();

  /// A result as an error that says `what` failed, with the driver's name and text for it.
  Expected<void> check(Result result, std::string_view what) const;
};

/// Makes a context current in this thread until the end of the scope; whatever was current before is current after.
class ContextScope {
public:
  ContextScope(const Driver &driver, Context context);
  ~ContextScope();
  ContextScope(const ContextScope &) = delete;
  ContextScope &operator=(const ContextScope &) = delete;

  /// Whether the context is current now.
  const Expected<void> &status() const { return state; }

private:
  const Driver &driver;
  bool pushed = false;
  Expected<void> state;
};

} // namespace landmark::cuda
#endif
