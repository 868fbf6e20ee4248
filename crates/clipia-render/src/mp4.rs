//! Encodes frames as H.264, into an MP4 that a browser plays while it loads.

use super::{CLIP_FRAMES_PER_SECOND, RenderError};
use muxide::api::{Muxer, MuxerBuilder, VideoCodec};
use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, ColorPrimaries, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod,
    MatrixCoefficients, RateControlMode, TransferCharacteristics, UsageType, VuiConfig,
};
use openh264::formats::{RgbaSliceU8, YUVBuffer};

/// The distance between key frames. A player can start at each of them.
const KEY_FRAME_EVERY: u32 = CLIP_FRAMES_PER_SECOND * 2;
/// The encoder's highest bit rate, in bits per second. It has no effect: without rate control every frame has the encoder's own
/// quantiser, 26 of 51.
const BIT_RATE_MAX: u32 = 16_000_000;

/// A clip being encoded.
pub(super) struct Film {
    encoder: Encoder,
    muxer: Muxer<Vec<u8>>,
    yuv: YUVBuffer,
    size: (usize, usize),
    count: u32,
}

impl Film {
    /// A film of `width` by `height` pixels, both even.
    pub(super) fn new(width: u32, height: u32) -> Result<Self, RenderError> {
        // The encoder converts RGB by BT.601, in the limited range.
        let colours = VuiConfig::bt709()
            .matrix_coefficients(MatrixCoefficients::Smpte170M)
            .color_primaries(ColorPrimaries::Bt709)
            .transfer_characteristics(TransferCharacteristics::Bt709);
        let config = EncoderConfig::new()
            .usage_type(UsageType::CameraVideoRealTime)
            .complexity(Complexity::Low)
            .rate_control_mode(RateControlMode::Off)
            .bitrate(BitRate::from_bps(BIT_RATE_MAX))
            .max_frame_rate(FrameRate::from_hz(CLIP_FRAMES_PER_SECOND as f32))
            .intra_frame_period(IntraFramePeriod::from_num_frames(KEY_FRAME_EVERY))
            .scene_change_detect(false)
            .adaptive_quantization(false)
            .background_detection(false)
            .skip_frames(false)
            .num_threads(1)
            .vui(colours);
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config).map_err(failed)?;
        let muxer = MuxerBuilder::new(vec![])
            .video(VideoCodec::H264, width, height, f64::from(CLIP_FRAMES_PER_SECOND))
            .with_fast_start(true)
            .build()
            .map_err(failed)?;
        let size = (width as usize, height as usize);
        Ok(Self { encoder, muxer, yuv: YUVBuffer::new(size.0, size.1), size, count: 0 })
    }

    /// Adds a frame of RGBA pixels.
    pub(super) fn add(&mut self, rgba: &[u8]) -> Result<(), RenderError> {
        self.yuv.read_rgba8(RgbaSliceU8::new(rgba, self.size));
        let encoded = self.encoder.encode(&self.yuv).map_err(failed)?;
        let is_key = matches!(encoded.frame_type(), FrameType::IDR | FrameType::I);
        let at = f64::from(self.count) / f64::from(CLIP_FRAMES_PER_SECOND);
        self.muxer.write_video(at, &encoded.to_vec(), is_key).map_err(failed)?;
        self.count += 1;
        Ok(())
    }

    /// The finished file.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, RenderError> {
        self.muxer.finish_in_place().map_err(failed)?;
        Ok(self.muxer.into_writer())
    }
}

fn failed(error: impl std::fmt::Display) -> RenderError {
    RenderError::encode("MP4", error)
}
