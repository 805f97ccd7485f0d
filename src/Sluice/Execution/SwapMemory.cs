using System.Diagnostics;
using System.Runtime.InteropServices;
using Sluice.Compute;
using Sluice.KvCache;

namespace Sluice.Execution;

/// <summary>
/// The host memory behind a <see cref="SwapSpace"/>, and the copies from and to it. Pinning takes 0.6 seconds a GiB, so it is
/// taken in pieces on a thread of its own while requests are served already. Made and disposed by the thread that builds the
/// engine; copies are made by the rank thread.
/// </summary>
internal sealed class SwapMemory : IDisposable
{
    // Pinning holds the driver's lock, 8 ms for so much: launches of running steps come in between.
    private const long PieceBytes = 16L << 20;

    // Copies handed to the device at a time: 32 KiB of staging.
    private const int MaxCopies = 2048;

    // A block of each size must be on a boundary of the widest access.
    private const long BlockAlignment = 64;

    private readonly IBackend _backend;
    private readonly KvLayer _shape;
    private readonly Tensor _layers; // LayerAddress: int32 [layers, 4]
    private readonly Tensor _copies; // BlockCopy: int32 [maxCopies, 4]
    private readonly BlockCopy[] _rows = new BlockCopy[MaxCopies];
    private readonly long _blockBytes;
    private readonly int _blocksAPiece;
    private readonly int _blockCount;
    private readonly HostBuffer?[] _pieces;
    private Thread? _filler;
    private volatile bool _stopping;

    /// <param name="backend">The device.</param>
    /// <param name="layers">All layers of the cache, of one shape.</param>
    /// <param name="blockCount">Blocks wanted.</param>
    public SwapMemory(IBackend backend, ReadOnlySpan<KvLayer> layers, int blockCount)
    {
        _backend = backend;
        _shape = layers[0];
        _blockCount = blockCount;
        _blockBytes = BytesOf(layers);
        _blocksAPiece = (int)Math.Clamp(PieceBytes / _blockBytes, 1, blockCount);
        _pieces = new HostBuffer?[(blockCount + _blocksAPiece - 1) / _blocksAPiece];
        _copies = backend.Allocate(MaxCopies, BlockCopy.Words, DType.Int32);
        _layers = backend.Allocate(layers.Length, LayerAddress.Words, DType.Int32);
        var addresses = new LayerAddress[layers.Length];
        for (int i = 0; i < layers.Length; i++)
        {
            addresses[i] = new LayerAddress(layers[i].Keys, layers[i].Values);
        }

        backend.Upload(_layers, (ReadOnlySpan<int>)MemoryMarshal.Cast<LayerAddress, int>(addresses));
    }

    /// <summary>Host memory of one block of all layers.</summary>
    public static long BytesOf(ReadOnlySpan<KvLayer> layers) =>
        ((layers.Length * layers[0].BlockBytes) + BlockAlignment - 1) / BlockAlignment * BlockAlignment;

    /// <summary>
    /// Takes the first piece and measures how long a block takes out and back, on blocks of the cache that hold nothing yet.
    /// </summary>
    /// <param name="deviceBlockCount">Blocks of the cache.</param>
    public double MeasureSecondsPerBlock(int deviceBlockCount)
    {
        TakePiece(0);
        var moves = new List<BlockSwap>();
        for (int i = 0; i < Math.Min(_blocksAPiece, deviceBlockCount); i++)
        {
            moves.Add(new BlockSwap(i, i));
        }

        double best = double.MaxValue;
        for (int round = 0; round < 3; round++)
        {
            long start = Stopwatch.GetTimestamp();
            Move(moves, toHost: true);
            Move(moves, toHost: false);
            _backend.Synchronize();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return best / moves.Count;
    }

    /// <summary>Takes the other pieces on a thread of its own, then opens the space; with fewer blocks when the machine has no more memory.</summary>
    public void Fill(SwapSpace space, SwapCosts costs)
    {
        _filler = new Thread(() =>
        {
            int pieces = 1;
            try
            {
                while (pieces < _pieces.Length && !_stopping)
                {
                    TakePiece(pieces);
                    pieces++;
                }
            }
            catch (Exception)
            {
                // No more memory to pin, or a device that fails at everything else too. What was taken is of use all the same; the
                // statistics tell how much it is.
            }

            space.Open(Math.Min(_blockCount, pieces * _blocksAPiece), costs);
        })
        {
            IsBackground = true,
            Name = "sluice swap space",
        };
        _filler.Start();
    }

    /// <summary>Enqueues copies between the cache and the host.</summary>
    public void Move(List<BlockSwap> moves, bool toHost)
    {
        for (int first = 0; first < moves.Count; first += MaxCopies)
        {
            int count = Math.Min(MaxCopies, moves.Count - first);
            for (int i = 0; i < count; i++)
            {
                BlockSwap move = moves[first + i];
                _rows[i] = new BlockCopy(move.DeviceBlock, AddressOf(move.HostBlock));
            }

            Tensor copies = _copies.SliceRows(0, count);
            _backend.Upload(copies, (ReadOnlySpan<int>)MemoryMarshal.Cast<BlockCopy, int>(_rows.AsSpan(0, count)));
            _backend.CopyBlocks(_shape, _layers, copies, toHost);
        }
    }

    /// <summary>Gives the memory back, when what is on its way has arrived.</summary>
    public void Dispose()
    {
        _stopping = true;
        _filler?.Join();
        try
        {
            _backend.Synchronize();
        }
        catch (Exception)
        {
            // A device that failed copies nothing any more.
        }

        foreach (HostBuffer? piece in _pieces)
        {
            piece?.Dispose();
        }
    }

    private void TakePiece(int piece) =>
        _pieces[piece] = _backend.AllocateHost(_blockBytes * Math.Min(_blocksAPiece, _blockCount - (piece * _blocksAPiece)));

    private nint AddressOf(int block) => _pieces[block / _blocksAPiece]!.Address + (nint)(block % _blocksAPiece * _blockBytes);
}
